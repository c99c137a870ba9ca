"""From recordings to clips, texts and measures.

Needs: manifests (written before the graph is built) and the recordings they name.
Makes: data/segments, data/transcripts, data/measures; one job per shard, one computation per new item. Where checks look
at texts: data/text_measures likewise. Where checks compare clips: data/descriptions likewise, and data/comparisons,
whose jobs look at all shards of their corpus.
"""

from kaiku.loading import asr_cores, asr_gpus, asr_memory_mb


rule segment_recordings:
    """Cut recordings into clips at pauses; clips that are cut already pass through."""
    input:
        manifest="data/manifests/{corpus}/{shard}.audio.tsv",
    output:
        rows="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
    log:
        "logs/segment_recordings/{corpus}.{shard}.log",
    benchmark:
        "logs/segment_recordings/{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=RECORDED,
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("segment", w.corpus),
    shell:
        program(
            "segment_recordings",
            "--corpus {wildcards.corpus} --manifest {input.manifest:q} --rows {output.rows:q} --audio {output.audio:q}"
            " --carry work/carry/segment/{wildcards.corpus}/{wildcards.shard}",
        )


rule transcribe_segments:
    """Give each clip its text: the one that came with it, or what a recogniser hears."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
        texts="data/manifests/{corpus}/{shard}.text.tsv",
        model=lambda w: base_files(SETTINGS.asr[w.asr].model) if SETTINGS.asr[w.asr].model else [],
    output:
        rows="data/transcripts/{asr}/{corpus}/{shard}.parquet",
    log:
        "logs/transcribe_segments/{asr}.{corpus}.{shard}.log",
    benchmark:
        "logs/transcribe_segments/{asr}.{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=RECORDED,
    conda:
        "../envs/kaiku.yaml"
    threads: lambda w: asr_cores(SETTINGS.asr[w.asr])
    resources:
        mem_mb=lambda w: asr_memory_mb(SETTINGS, SETTINGS.asr[w.asr]),
        gpu=lambda w: gpus(asr_device(SETTINGS.asr[w.asr])) * asr_gpus(SETTINGS.asr[w.asr]),
    params:
        key=lambda w: key("transcribe", w.asr),
    shell:
        program(
            "transcribe_segments",
            "--asr {wildcards.asr} --corpus {wildcards.corpus} --segments {input.segments:q} --audio {input.audio:q}"
            " --texts {input.texts:q} --rows {output.rows:q}"
            " --carry work/carry/transcribe/{wildcards.asr}/{wildcards.corpus}/{wildcards.shard}",
        )


rule measure_segments:
    """Measure each clip with every check that has not seen it: facts, no decisions."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
        loaded=check_inputs(),
    output:
        rows="data/measures/{corpus}/{shard}.parquet",
    log:
        "logs/measure_segments/{corpus}.{shard}.log",
    benchmark:
        "logs/measure_segments/{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=lambda w: memory_mb(1000, *check_folders()),
        gpu=gpus(*(check_device(SETTINGS, check) for check in SETTINGS.checks_that_need("audio"))),
    params:
        key=lambda w: key("measures"),
    shell:
        program(
            "measure_segments",
            "--corpus {wildcards.corpus} --segments {input.segments:q} --audio {input.audio:q} --rows {output.rows:q}"
            " --carry work/carry/measure/{wildcards.corpus}/{wildcards.shard}",
        )


rule measure_texts:
    """Measure each clip's text with every check of texts that has not seen it: facts, no decisions."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        transcripts="data/transcripts/{asr}/{corpus}/{shard}.parquet",
        seconds=lambda w: [
            f"data/transcripts/{second}/{w.corpus}/{w.shard}.parquet" for second in stages.second_asrs(SETTINGS, w.asr)
        ],
        audio=lambda w: [f"data/segments/{w.corpus}/{w.shard}.tar"] if used_by_text_checks(w.asr, "audio") else [],
        measures=lambda w: (
            [f"data/measures/{w.corpus}/{w.shard}.parquet"] if used_by_text_checks(w.asr, "speech_s") else []
        ),
        models=lambda w: [path for name in text_check_models(w.asr) for path in base_files(name)],
    output:
        rows="data/text_measures/{asr}/{corpus}/{shard}.parquet",
    log:
        "logs/measure_texts/{asr}.{corpus}.{shard}.log",
    benchmark:
        "logs/measure_texts/{asr}.{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=lambda w: memory_mb(1000, *map(SETTINGS.base_root, text_check_models(w.asr))),
        gpu=lambda w: gpus(*text_check_devices(w.asr)),
    params:
        key=lambda w: key("text_measures", w.asr),
    shell:
        program(
            "measure_texts",
            "--asr {wildcards.asr} --corpus {wildcards.corpus} --segments {input.segments:q}"
            " --transcripts {input.transcripts:q} --seconds {input.seconds:q} --audio {input.audio:q}"
            " --measures {input.measures:q} --rows {output.rows:q}"
            " --carry work/carry/measure_texts/{wildcards.asr}/{wildcards.corpus}/{wildcards.shard}",
        )


rule describe_clips:
    """Describe each clip by what each comparison needs of it, so that comparing reads no audio."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
    output:
        rows="data/descriptions/{corpus}/{shard}.parquet",
    log:
        "logs/describe_clips/{corpus}.{shard}.log",
    benchmark:
        "logs/describe_clips/{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("descriptions"),
    shell:
        program(
            "describe_clips",
            "--corpus {wildcards.corpus} --segments {input.segments:q} --audio {input.audio:q} --rows {output.rows:q}"
            " --carry work/carry/describe/{wildcards.corpus}/{wildcards.shard}",
        )


rule compare_clips:
    """Compare a shard's clips with all clips of their corpus: duplicates, and clips that stand apart."""
    input:
        of="data/descriptions/{corpus}/{shard}.parquet",
        among=lambda w: shards_of("data/descriptions/{corpus}/{shard}.parquet", [w.corpus]),
    output:
        rows="data/comparisons/{corpus}/{shard}.parquet",
    log:
        "logs/compare_clips/{corpus}.{shard}.log",
    benchmark:
        "logs/compare_clips/{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=2000,
    params:
        key=lambda w: key("comparisons"),
    shell:
        program(
            "compare_clips",
            "--of {input.of:q} --among {input.among:q} --rows {output.rows:q}",
        )
