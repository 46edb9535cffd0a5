"""Training arguments: what is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest

from maintenance_contract import TrainingAction
from maintenance_trainer.errors import ConfigurationError
from maintenance_trainer.tasks.huggingface import arguments

FINE_TUNE, RETRAIN = TrainingAction.FINE_TUNE, TrainingAction.RETRAIN


@pytest.mark.parametrize(
    "given, reason, words",
    [
        ({"learnig_rate": 1e-4}, "ArgumentUnknown", "did you mean 'learning_rate'"),
        ({"num_epochs": 3}, "ArgumentUnknown", "did you mean 'num_train_epochs'"),
        ({"per_gpu_train_batch_size": 8}, "ArgumentUnknown", "'per_device_train_batch_size'"),
        ({"evaluation_strategy": "epoch"}, "ArgumentUnknown", "'eval_strategy' it would be, which"),
        ({"outputdir": "x"}, "ArgumentUnknown", "'output_dir' it would be, which cannot be set"),
        ({"lr": 1e-4}, "ArgumentUnknown", "did you mean 'learning_rate'"),
        ({"warmup_ratio": 0.1}, "ArgumentUnknown", "did you mean 'warmup_steps'"),
        ({"no_cuda": True}, "ArgumentUnknown", "did you mean 'use_cpu'"),
        ({"seed": 1795132800000}, "ArgumentInvalid", "arguments.seed: a number of at most"),
        ({"dataloader_num_workers": 100_000}, "ArgumentInvalid", "at most 64 is expected"),
        ({"per_device_train_batch_size": 10**9}, "ArgumentInvalid", "at most 65,536"),
        ({"num_train_epochs": 1e9}, "ArgumentInvalid", "at most 100,000"),
        ({"gradient_accumulation_steps": 10**9}, "ArgumentInvalid", "at most 100,000"),
        ({"output_dir": "/elsewhere"}, "ArgumentInvalid", "versions go to model.storage"),
        ({"push_to_hub": True}, "ArgumentInvalid", "nothing is sent anywhere"),
        ({"hub_token": "x"}, "ArgumentInvalid", "nothing is sent anywhere"),
        ({"report_to": "wandb"}, "ArgumentInvalid", "remove it"),
        ({"eval_strategy": "epoch"}, "ArgumentInvalid", "held-out rows"),
        ({"learning_rate": "2e-5"}, "ArgumentInvalid", "without quotes"),
        ({"learning_rate": -1.0}, "ArgumentInvalid", "above 0"),
        ({"learning_rate": float("nan")}, "ArgumentInvalid", "finite"),
        ({"num_train_epochs": 0}, "ArgumentInvalid", "above 0"),
        ({"per_device_train_batch_size": 1.5}, "ArgumentInvalid", "a whole number"),
        ({"max_steps": 0}, "ArgumentInvalid", "at least 1"),
        ({"label_smoothing_factor": 1.0}, "ArgumentInvalid", "below 1"),
        ({"lr_scheduler_type": "zigzag"}, "ArgumentInvalid", "zigzag"),
        ({"optim": "no_such_optimizer"}, "ArgumentInvalid", "no_such_optimizer"),
    ],
)
def test_what_cannot_train_is_refused_with_the_field_and_the_remedy(
    given: dict[str, Any], reason: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        arguments.check(RETRAIN, given)
    assert caught.value.reason == reason
    assert caught.value.exit_code == 78
    assert words in caught.value.message
    assert caught.value.message.startswith("training.retrain.arguments")


def test_the_users_arguments_lie_over_the_defaults(tmp_path: Path) -> None:
    given = {
        "num_train_epochs": 1.5,
        "learning_rate": 1,
        "lr_scheduler_type": "cosine",
        "bf16": False,
    }
    arguments.check(FINE_TUNE, given)
    built = arguments.build(FINE_TUNE, given, tmp_path)
    assert (built.num_train_epochs, built.learning_rate, built.bf16) == (1.5, 1, False)
    assert built.lr_scheduler_type == "cosine"
    assert built.per_device_train_batch_size == arguments.DEFAULTS["per_device_train_batch_size"]
    assert str(built.save_strategy.value) == "no"
    assert built.report_to == []
    assert built.train_sampling_strategy == "random"
