"""From clips to clips derived from them.

Needs: segments and transcripts of the corpus that a derived one is made of.
Makes: the derived corpus' data/segments and data/transcripts; what follows treats it like any other.
"""


rule augment_segments:
    """Make each clip of a derived corpus from its source's: other speed, tempo, pitch, noise."""
    input:
        segments=lambda w: f"data/segments/{SETTINGS.origin(w.corpus)}/{w.shard}.parquet",
        audio=lambda w: f"data/segments/{SETTINGS.origin(w.corpus)}/{w.shard}.tar",
    output:
        rows="data/segments/{corpus}/{shard}.parquet",
        audio="data/segments/{corpus}/{shard}.tar",
    log:
        "logs/augment_segments/{corpus}.{shard}.log",
    benchmark:
        "logs/augment_segments/{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=DERIVED,
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("augment", w.corpus),
        noise=lambda w: noise_told(w.corpus),
    shell:
        program(
            "augment_segments",
            "--corpus {wildcards.corpus} --segments {input.segments:q} --audio {input.audio:q}"
            " --rows {output.rows:q} --tar {output.audio:q}"
            " --carry work/carry/augment/{wildcards.corpus}/{wildcards.shard}",
        )


rule inherit_transcripts:
    """Give each derived clip the text of the clip it was made from, whoever transcribed that one."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        transcripts=lambda w: f"data/transcripts/{w.asr}/{SETTINGS.origin(w.corpus)}/{w.shard}.parquet",
    output:
        rows="data/transcripts/{asr}/{corpus}/{shard}.parquet",
    log:
        "logs/inherit_transcripts/{asr}.{corpus}.{shard}.log",
    benchmark:
        "logs/inherit_transcripts/{asr}.{corpus}.{shard}.tsv"
    wildcard_constraints:
        corpus=DERIVED,
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("inherit"),
    shell:
        program(
            "inherit_transcripts",
            "--segments {input.segments:q} --transcripts {input.transcripts:q} --rows {output.rows:q}",
        )
