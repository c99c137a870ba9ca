"""What is not on this machine yet: corpora and base models with a source, and what is collected from the web.

Needs: a network, and what the licence asks for.
Makes: the corpus' folder and its manifests; models/base/{base}; beside the manifests, a record of what came.
"""

for unfetched in WORKSPACE.unfetched:

    # Fetched whole from one place, or collected item by item: the program's name is that of rule and log.
    comes_by = "collect_recordings" if SETTINGS.corpora[unfetched].collect else "fetch_corpus"

    rule:
        name:
            f"{comes_by}_{unfetched.replace('-', '_')}"
        output:
            expand(
                f"data/manifests/{unfetched}/{{shard}}.{{kind}}.tsv",
                shard=WORKSPACE.shards(unfetched),
                kind=["audio", "text", *(["tokens"] if SETTINGS.corpora[unfetched].tokens else [])],
            ),
        log:
            f"logs/{comes_by}/{unfetched}.log",
        benchmark:
            f"logs/{comes_by}/{unfetched}.tsv"
        localrule: True  # nodes of a cluster often have no network
        conda:
            "../envs/kaiku.yaml"
        params:
            corpus=unfetched,
        shell:
            (
                program("collect_recordings", "--corpus {params.corpus}")
                if comes_by == "collect_recordings"
                else program("fetch_corpus", "--corpus {params.corpus}")
            )


rule fetch_model:
    """Fetch a base model at its pinned revision."""
    output:
        record="models/base/{base}/fetched.json",
    log:
        "logs/fetch_model/{base}.log",
    benchmark:
        "logs/fetch_model/{base}.tsv"
    localrule: True
    conda:
        "../envs/kaiku.yaml"
    params:
        source=lambda w: SETTINGS.bases[w.base].source.identity(),
    shell:
        program("fetch_model", "--base {wildcards.base} --record {output.record:q}")
