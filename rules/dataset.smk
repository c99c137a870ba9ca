"""From facts to decisions: which clips a dataset takes.

Needs: segments, transcripts, measures; data/review, where somebody listened, and the recordings that is about.
Makes: data/selection, with a reason for every clip that is left out. A changed threshold runs this and what follows.
"""


rule select_segments:
    """Decide which clips a dataset takes, why not the others, and into which split each goes."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        transcripts=lambda w: f"data/transcripts/{SETTINGS.datasets[w.dataset].asr}/{w.corpus}/{w.shard}.parquet",
        measures=lambda w: measures_of(w.dataset, w.corpus, w.shard),
        decisions=lambda w: decisions_of(w.corpus, w.shard),
        manifest=lambda w: manifest_if(decisions_of(w.corpus, w.shard), w.corpus, w.shard),
    output:
        rows="data/selection/{dataset}/{corpus}/{shard}.parquet",
    log:
        "logs/select_segments/{dataset}-{corpus}-{shard}.log",
    benchmark:
        "logs/select_segments/{dataset}-{corpus}-{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: f"{key('select', w.dataset, w.corpus, *told(w))} recordings={recordings_told(w.corpus)}",
        recordings=lambda w, input: recordings_told(w.corpus),
        shards=lambda w, input: shards_option(w.dataset),
    shell:
        program(
            "select_segments",
            "--dataset {wildcards.dataset} --corpus {wildcards.corpus} --segments {input.segments:q}"
            " --transcripts {input.transcripts:q} --measures {input.measures:q} --decisions {input.decisions:q}"
            " --manifest {input.manifest:q} --recordings {params.recordings} {params.shards} --rows {output.rows:q}",
        )
