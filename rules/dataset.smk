"""From facts to decisions: which clips a dataset takes.

Needs: segments, transcripts, measures; data/review, where somebody listened, and the recordings that is about.
Makes: data/selection, with a reason for every clip that is left out. A changed threshold runs this and what follows.
Where asked for, results/datasets: a dataset's report and account, and its verdict where gates are enforced.
"""


rule select_segments:
    """Decide which clips a dataset takes, why not the others, and into which split each goes."""
    input:
        segments="data/segments/{corpus}/{shard}.parquet",
        transcripts=lambda w: f"data/transcripts/{SETTINGS.datasets[w.dataset].asr}/{w.corpus}/{w.shard}.parquet",
        measures=lambda w: measures_of(w.dataset, w.corpus, w.shard),
        decisions=lambda w: decisions_of(w.corpus, w.shard),
        manifest=lambda w: manifest_if(decisions_of(w.corpus, w.shard), w.corpus, w.shard),
        follows=lambda w: followed_by(w.dataset, w.corpus, w.shard),
    output:
        rows="data/selection/{dataset}/{corpus}/{shard}.parquet",
    log:
        "logs/select_segments/{dataset}.{corpus}.{shard}.log",
    benchmark:
        "logs/select_segments/{dataset}.{corpus}.{shard}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: f"{key('select', w.dataset, w.corpus, *told(w))} recordings={recordings_told(w.corpus)}",
        recordings=lambda w, input: recordings_told(w.corpus),
        shards=lambda w, input: shards_option(w.dataset),
        follows=lambda w, input: f"--follows {input.follows}" if input.follows else "",
    shell:
        program(
            "select_segments",
            "--dataset {wildcards.dataset} --corpus {wildcards.corpus} --segments {input.segments:q}"
            " --transcripts {input.transcripts:q} --measures {input.measures:q} --decisions {input.decisions:q}"
            " --manifest {input.manifest:q} --recordings {params.recordings} {params.shards} {params.follows}"
            " --rows {output.rows:q}",
        )


rule report_dataset:
    """Say what a dataset is made of: where every second went, measures against their bounds, gates, what to change."""
    input:
        selections=lambda w: selections_of(w.dataset),
        segments=lambda w: clips_of(w.dataset, "segments"),
        transcripts=lambda w: clips_of(w.dataset, f"transcripts/{SETTINGS.datasets[w.dataset].asr}"),
        measures=lambda w: all_measures_of(w.dataset),
        problems=lambda w: problems_of(w.dataset),
    output:
        page="results/datasets/{dataset}/report.html",
        account="results/datasets/{dataset}/account.json",
    log:
        "logs/report_dataset/{dataset}.log",
    benchmark:
        "logs/report_dataset/{dataset}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("survey", w.dataset),
    shell:
        program(
            "report_dataset",
            "--dataset {wildcards.dataset} --selection {input.selections:q} --segments {input.segments:q}"
            " --transcripts {input.transcripts:q} --measures {input.measures:q} --problems {input.problems:q}"
            " --page {output.page:q} --account {output.account:q} --carry work/carry/survey/{wildcards.dataset}",
        )


rule pass_gates:
    """Let a dataset pass its gates, or fail in one sentence; its report stands in either case."""
    input:
        account="results/datasets/{dataset}/account.json",
    output:
        passed="results/datasets/{dataset}/passed.json",
    log:
        "logs/pass_gates/{dataset}.log",
    benchmark:
        "logs/pass_gates/{dataset}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=200,
    params:
        key=lambda w: key("pass_gates", w.dataset),
    shell:
        program(
            "pass_gates",
            "--dataset {wildcards.dataset} --account {input.account:q} --out {output.passed:q}",
        )
