"""What is not on this machine yet: corpora and base models with a source.

Needs: a network, and what the licence asks for.
Makes: the corpus' folder and its manifests; models/base/{base}.
"""


localrules:
    fetch_model,


for unfetched in WORKSPACE.unfetched:

    rule:
        name:
            f"fetch_corpus_{unfetched.replace('-', '_')}"
        output:
            expand(
                f"data/manifests/{unfetched}/{{shard}}.{{kind}}.tsv",
                shard=WORKSPACE.shards(unfetched),
                kind=["audio", "text"],
            ),
        log:
            f"logs/fetch_corpus/{unfetched}.log",
        conda:
            "../envs/kaiku.yaml"
        params:
            corpus=unfetched,
        shell:
            program("fetch_corpus", "--corpus {params.corpus}")


rule fetch_model:
    """Fetch a base model at its pinned revision."""
    output:
        record="models/base/{base}/fetched.json",
    log:
        "logs/fetch_model/{base}.log",
    conda:
        "../envs/kaiku.yaml"
    shell:
        program("fetch_model", "--base {wildcards.base} --record {output.record:q}")
