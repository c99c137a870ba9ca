"""From a model to what one listens to, reads and hands over.

Needs: a merged model, its codec, and packs.
Makes: results/{run} (samples, metrics.json, report.html, licences.json) and dist/{run}.tar.gz.
"""


rule synthesize_samples:
    """Let the model speak some sentences of each split, beside the originals as their codes sound."""
    input:
        model="models/{run}/merged",
        codec=lambda w: codec_whole(SETTINGS.runs[w.run].codec),
        train=lambda w: packs_of(w.run, "train"),
        val=lambda w: packs_of(w.run, "val"),
    output:
        samples=directory("results/{run}/samples"),
    log:
        "logs/synthesize_samples/{run}.log",
    benchmark:
        "logs/synthesize_samples/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    threads: SETTINGS.threads
    resources:
        mem_mb=lambda w: memory_mb(2000, *speaking_folders(w.run)),
        gpu=lambda w: gpus(SETTINGS.device, codec_device(SETTINGS.codecs[SETTINGS.runs[w.run].codec])),
    params:
        key=lambda w: key("synthesize", w.run),
        codec=lambda w, input: codec_folder(SETTINGS, SETTINGS.runs[w.run].codec),
    shell:
        program(
            "synthesize_samples",
            "--run {wildcards.run} --model {input.model:q} --codec {params.codec:q} --train {input.train:q}"
            " --val {input.val:q} --out {output.samples:q} --carry work/carry/synthesize/{wildcards.run}",
        )


rule evaluate_model:
    """Measure the model: held-out loss against chance, use of the text, retrieval, lengths."""
    input:
        model="models/{run}/merged",
        codec=lambda w: codec_whole(SETTINGS.runs[w.run].codec),
        train=lambda w: packs_of(w.run, "train"),
        val=lambda w: packs_of(w.run, "val"),
        samples="results/{run}/samples",
        selections=lambda w: selections_of(SETTINGS.runs[w.run].dataset),
    output:
        metrics="results/{run}/metrics.json",
    log:
        "logs/evaluate_model/{run}.log",
    benchmark:
        "logs/evaluate_model/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    threads: SETTINGS.threads
    resources:
        mem_mb=lambda w: memory_mb(2000, *speaking_folders(w.run)),
        gpu=lambda w: gpus(SETTINGS.device, codec_device(SETTINGS.codecs[SETTINGS.runs[w.run].codec])),
    params:
        key=lambda w: key("evaluate", w.run),
        codec=lambda w, input: codec_folder(SETTINGS, SETTINGS.runs[w.run].codec),
    shell:
        program(
            "evaluate_model",
            "--run {wildcards.run} --model {input.model:q} --codec {params.codec:q} --train {input.train:q}"
            " --val {input.val:q} --samples {input.samples:q} --selection {input.selections:q} --out {output.metrics:q}"
            " --carry work/carry/evaluate/{wildcards.run}",
        )


rule write_report:
    """One page about a run that holds everything: counts by reason, curves, figures, pictures, players."""
    input:
        metrics=lambda w: [f"results/{run}/metrics.json" for run in SETTINGS.lineage(w.run)],
        samples="results/{run}/samples",
        checkpoints=lambda w: checkpoints_of(w.run),
        model="models/{run}/merged",
        selections=all_selections(),
    output:
        page="results/{run}/report.html",
        licences="results/{run}/licences.json",
    log:
        "logs/write_report/{run}.log",
    benchmark:
        "logs/write_report/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=2000,
    params:
        key=lambda w: key("report", w.run),
    shell:
        program("write_report", "--run {wildcards.run} --out {output.page:q} --licences {output.licences:q}")


rule package_model:
    """Model, codec, report, card and checksums in one archive, read back once."""
    input:
        model="models/{run}/merged",
        codec=lambda w: codec_whole(SETTINGS.runs[w.run].codec),
        checkpoints=lambda w: checkpoints_of(w.run),
        report="results/{run}/report.html",
        metrics="results/{run}/metrics.json",
    output:
        archive="dist/{run}.tar.gz",
    log:
        "logs/package_model/{run}.log",
    benchmark:
        "logs/package_model/{run}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("package", w.run),
        codec=lambda w, input: codec_folder(SETTINGS, SETTINGS.runs[w.run].codec),
    shell:
        program(
            "package_model",
            "--run {wildcards.run} --model {input.model:q} --codec {params.codec:q}"
            " --checkpoints {input.checkpoints:q} --report {input.report:q} --metrics {input.metrics:q}"
            " --out {output.archive:q}",
        )
