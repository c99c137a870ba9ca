"""What is not on this machine yet: corpora and base models with a source.

Needs: a network, and what the licence asks for.
Makes: the corpus' folder and its manifests; models/base/{base}.
"""

for unfetched in WORKSPACE.unfetched:

    rule:
        name:
            f"fetch_corpus_{unfetched.replace('-', '_')}"
        output:
            expand(
                f"data/manifests/{unfetched}/{{shard}}.{{kind}}.tsv",
                shard=WORKSPACE.shards(unfetched),
                kind=["audio", "text", *(["tokens"] if SETTINGS.corpora[unfetched].tokens else [])],
            ),
        log:
            f"logs/fetch_corpus/{unfetched}.log",
        benchmark:
            f"logs/fetch_corpus/{unfetched}.tsv"
        localrule: True  # nodes of a cluster often have no network
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
    benchmark:
        "logs/fetch_model/{base}.tsv"
    localrule: True
    conda:
        "../envs/kaiku.yaml"
    params:
        source=lambda w: json.dumps(SETTINGS.bases[w.base].source.identity()),
    shell:
        program("fetch_model", "--base {wildcards.base} --record {output.record:q}")
