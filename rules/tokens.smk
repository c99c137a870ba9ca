"""From clips to codec tokens and packs.

Needs: segments and a codec, pretrained or fitted here; for packs also a selection.
Makes: models/codecs (where fitted), data/tokens of every clip that did not fail, data/protos of those selected.
"""


rule train_codec:
    """Fit a codec to a dataset's training clips; by default once, however the data grow."""
    input:
        selection=lambda w: codec_data(w.codec),
    output:
        encoder="models/codecs/{codec}/encoder.safetensors",
        decoder="models/codecs/{codec}/decoder.safetensors",
        config="models/codecs/{codec}/config.json",
        metrics="models/codecs/{codec}/metrics.json",
        key="models/codecs/{codec}/key.json",
    log:
        "logs/train_codec/{codec}.log",
    benchmark:
        "logs/train_codec/{codec}.tsv"
    conda:
        "../envs/kaiku.yaml"
    threads: SETTINGS.threads
    resources:
        mem_mb=3000,
        gpu=lambda w: gpus(codec_device(SETTINGS.codecs[w.codec])),
    params:
        key=lambda w: key("fit_codec", w.codec),
    shell:
        program(
            "train_codec",
            "--codec {wildcards.codec} --selection {input.selection:q} --out models/codecs/{wildcards.codec}"
            " --carry work/carry/train_codec/{wildcards.codec}",
        )


rule encode_tokens:
    """Encode every clip of a shard, selected or not, so that thresholds never touch tokens; adopt what was given."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
        codec=lambda w: codec_weights(w.codec),
        given=lambda w: given_tokens(w.codec, w.corpus, w.shard),
    output:
        rows="data/tokens/{codec}/{corpus}/{shard}.parquet",
        codes="data/tokens/{codec}/{corpus}/{shard}.npy",
    log:
        "logs/encode_tokens/{codec}.{corpus}.{shard}.log",
    benchmark:
        "logs/encode_tokens/{codec}.{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=lambda w: memory_mb(2000, codec_folder(SETTINGS, w.codec)),
        gpu=lambda w: gpus(codec_device(SETTINGS.codecs[w.codec])),
    params:
        key=lambda w: key("encode_shard", w.codec, w.corpus),
        weights=lambda w, input: codec_folder(SETTINGS, w.codec),
    shell:
        program(
            "encode_tokens",
            "--codec {wildcards.codec} --corpus {wildcards.corpus} --weights {params.weights:q}"
            " --segments {input.segments:q} --audio {input.audio:q} --given {input.given:q}"
            " --codes {output.codes:q} --rows {output.rows:q}"
            " --carry work/carry/encode/{wildcards.codec}/{wildcards.corpus}/{wildcards.shard}",
        )


rule pack_protos:
    """Pack the kept clips of a shard, text and codes together, one file a split, readable by fish-speech."""
    input:
        selection="data/selection/{dataset}/{corpus}/{shard}.parquet",
        tokens="data/tokens/{codec}/{corpus}/{shard}.parquet",
        codes="data/tokens/{codec}/{corpus}/{shard}.npy",
    output:
        train="data/protos/{dataset}/{codec}/train/{corpus}-{shard}.protos",
        val="data/protos/{dataset}/{codec}/val/{corpus}-{shard}.protos",
        test="data/protos/{dataset}/{codec}/test/{corpus}-{shard}.protos",
    log:
        "logs/pack_protos/{dataset}.{codec}.{corpus}.{shard}.log",
    benchmark:
        "logs/pack_protos/{dataset}.{codec}.{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("pack", w.dataset, w.codec),
    shell:
        program(
            "pack_protos",
            "--dataset {wildcards.dataset} --codec {wildcards.codec} --corpus {wildcards.corpus}"
            " --selection {input.selection:q} --tokens {input.tokens:q} --codes {input.codes:q}"
            " --train {output.train:q} --val {output.val:q} --test {output.test:q}"
            " --carry work/carry/pack/{wildcards.dataset}/{wildcards.codec}/{wildcards.corpus}-{wildcards.shard}",
        )
