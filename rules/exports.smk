"""From a dataset to a form that others read.

Needs: its selections, and the clips, texts and tokens of its corpora.
Makes: dist/exports/{export}, with the licences of all that is in it.
"""


rule export_dataset:
    """Write the kept clips of a dataset as LJ Speech, fish-speech, Hugging Face or another format has them."""
    input:
        selection=lambda w: selections_of(SETTINGS.exports[w.export].dataset),
        clips=lambda w: export_inputs(w.export),
    output:
        folder=directory("dist/exports/{export}"),
    log:
        "logs/export_dataset/{export}.log",
    benchmark:
        "logs/export_dataset/{export}.tsv"
    conda:
        "../envs/kaiku.yaml"
    resources:
        mem_mb=1000,
    params:
        key=lambda w: key("export", w.export),
    shell:
        program(
            "export_dataset",
            "--export {wildcards.export} --selection {input.selection:q} --out {output.folder:q}"
            " --carry work/carry/export/{wildcards.export}",
        )
