"""What `transformers.Trainer` is told, and the course of the learning rate."""

import math
from pathlib import Path

from transformers import TrainingArguments

from kaiku.errors import KaikuError
from kaiku.train.settings import TrainSettings

LIBRARIES = ("torch", "transformers")


def training_arguments(settings: TrainSettings, folder: Path) -> TrainingArguments:
    """The Trainer's own arguments; cadence, logging and precision are ours, so it is told to do none of them."""
    args = TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.max_steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulate,
        learning_rate=settings.learning_rate,
        adam_beta1=settings.betas[0],
        adam_beta2=settings.betas[1],
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip_norm,
        optim="adamw_torch",
        seed=settings.seed,
        use_cpu=settings.device == "cpu",
        eval_strategy="no",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        ignore_data_skip=True,
    )
    if settings.device == "cuda" and args.device.type != "cuda":
        raise KaikuError(
            "train.device is cuda, but torch finds no GPU here",
            expected="a GPU and a torch built for it",
            remedy="Set train.device: auto, or look at nvidia-smi and torch.version.cuda.",
        )
    if args.world_size > 1:
        raise KaikuError(
            f"started as one of {args.world_size} processes (WORLD_SIZE)",
            expected="one process per training",
            remedy="Start it without torchrun; give each run a GPU of its own by CUDA_VISIBLE_DEVICES.",
        )
    args._n_gpu = min(args.n_gpu, 1)  # else the Trainer splits batches over all GPUs it sees
    return args


def learning_rate_share(step: int, settings: TrainSettings) -> float:
    """Share of the peak learning rate at a step (from 0): linear warm-up, then cosine to the floor, or constant."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    if settings.schedule == "constant":
        return 1.0
    progress = (step - settings.warmup_steps) / max(1, settings.max_steps - settings.warmup_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return settings.floor_share + (1 - settings.floor_share) * cosine
