"""From packs to a model.

Needs: packs of a dataset and codec, and a base model, another run's model, or nothing.
Makes: models/{run}/checkpoints and models/{run}/merged. Unfinished training lives in work/runs/{run} and resumes there.
"""


rule train_model:
    """Train a run, all weights or an adapter; after any death the next call goes on by itself."""
    input:
        train=lambda w: packs_of(w.run, "train"),
        val=lambda w: packs_of(w.run, "val"),
        base=lambda w: run_base(w.run),
        codec=lambda w: codec_weights(SETTINGS.runs[w.run].codec),
        gate=lambda w: gate_of(SETTINGS.runs[w.run].dataset),
    output:
        checkpoints=directory("models/{run}/checkpoints"),
    log:
        "logs/train_model/{run}.log",
    benchmark:
        "logs/train_model/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    threads: SETTINGS.threads
    resources:
        mem_mb=lambda w: memory_mb(3000, base_folder(SETTINGS, w.run)),
        gpu=lambda w: gpus(SETTINGS.runs[w.run].train.device),
    params:
        key=lambda w: key("train", w.run),
        base=lambda w, input: base_option(w.run),
        codec=lambda w, input: codec_folder(SETTINGS, SETTINGS.runs[w.run].codec),
    shell:
        program(
            "train_model",
            "--run {wildcards.run} --train {input.train:q} --val {input.val:q} {params.base} --codec {params.codec:q}"
            " --out {output.checkpoints:q} --state work/runs/{wildcards.run} --carry work/carry/train/{wildcards.run}",
        )


rule merge_model:
    """Make the model of the chosen checkpoint: merged in fp32 and proven equal to the adapter."""
    input:
        checkpoints="models/{run}/checkpoints",
        val=lambda w: packs_of(w.run, "val"),
        base=lambda w: run_base(w.run),
    output:
        merged=directory("models/{run}/merged"),
    log:
        "logs/merge_model/{run}.log",
    benchmark:
        "logs/merge_model/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=lambda w: memory_mb(3000, base_folder(SETTINGS, w.run)),
    params:
        key=lambda w: key("merge", w.run),
        base=lambda w, input: base_option(w.run),
    shell:
        program(
            "merge_model",
            "--run {wildcards.run} --checkpoints {input.checkpoints:q} {params.base} --val {input.val:q}"
            " --out {output.merged:q} --carry work/carry/merge/{wildcards.run}",
        )
