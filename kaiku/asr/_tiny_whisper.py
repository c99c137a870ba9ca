"""A Whisper of one layer with random weights, in CTranslate2's format and with Whisper's own vocabulary layout."""

import json
import tempfile
from pathlib import Path

TIMESTAMPS = 1501
"""One for each 20 ms of a window of 30 s, both ends included."""


def write(folder: Path) -> None:
    """Fill the folder with model.bin, config.json, vocabulary.json, tokenizer.json and preprocessor_config.json."""
    from ctranslate2.converters import TransformersConverter

    with tempfile.TemporaryDirectory() as source:
        save(Path(source))
        converter = TransformersConverter(source, copy_files=["tokenizer.json", "preprocessor_config.json"])
        converter.convert(str(folder), force=True)


def save(folder: Path) -> None:
    """Fill the folder as transformers does: config, weights, tokenizer and preprocessor."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    _model(tokenizer.get_vocab()).save_pretrained(folder)
    preprocessor = {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "feature_size": 80,
        "sampling_rate": 16000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))


def _tokenizer():
    """Byte-level BPE without merges: every byte is a token."""
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    # CTranslate2 takes a model for multilingual where its vocabulary has the empty token, as OpenAI's has.
    tokens = [*sorted(pre_tokenizers.ByteLevel.alphabet()), ""]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    control = ["endoftext", "startoftranscript", *_LANGUAGE_CODES, "translate", "transcribe"]
    control += ["startoflm", "startofprev", "nocaptions", "notimestamps"]
    tokenizer.add_special_tokens([f"<|{name}|>" for name in control])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>")


def _model(vocabulary: dict[str, int]):
    """The model over these tokens and the timestamps, which the converter names."""
    import torch
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from transformers import GenerationConfig, WhisperConfig, WhisperForConditionalGeneration

    end = vocabulary["<|endoftext|>"]
    start = vocabulary["<|startoftranscript|>"]
    config = WhisperConfig(
        vocab_size=len(vocabulary) + TIMESTAMPS,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WhisperForConditionalGeneration(config).eval()
    with torch.no_grad():
        # Letters that stand out are what it answers; evenly random, it would mostly answer timestamps.
        letters = [vocabulary[letter] for letter in "abcdefghijklmnopqrstuvwxyz"]
        model.proj_out.weight[letters] *= 8
        # Nor is it to say one letter whatever it hears, wherever in the text.
        decoder = model.model.decoder
        decoder.embed_positions.weight *= 30
        decoder.layers[0].encoder_attn.v_proj.weight *= 10
        decoder.layers[0].encoder_attn.out_proj.weight *= 10
    model.generation_config = GenerationConfig(
        suppress_tokens=[],
        begin_suppress_tokens=[end],
        lang_to_id={f"<|{code}|>": vocabulary[f"<|{code}|>"] for code in _LANGUAGE_CODES},
        task_to_id={"transcribe": vocabulary["<|transcribe|>"], "translate": vocabulary["<|translate|>"]},
        no_timestamps_token_id=vocabulary["<|notimestamps|>"],
        is_multilingual=True,
        decoder_start_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
        max_length=64,
    )
    return model
