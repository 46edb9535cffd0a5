"""Makes the chatbot's base model: a tiny Llama that has read conversations.

python -m small_llama CONVERSATIONS FOLDER

A demo cannot wait for a real one, which this stands in for: it has met the words and how one
speaks, and no fact, as no two of the conversations agree.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEMPLATE: Final = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
END_OF_TEXT, START, END = SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MORE_WORDS: Final = "system You are the app."
POSITIONS: Final = 128
TOKENS: Final = 400
WIDTH: Final = 64
LAYERS: Final = 2
BATCH: Final = 16
LEARNING_RATE: Final = 0.004


def make(conversations: Path, folder: Path) -> None:
    """Read the conversations once; write a folder in Hugging Face's format."""
    lines = conversations.read_text(encoding="utf-8").splitlines()
    read = [json.loads(line)["messages"] for line in lines]
    transformers.set_seed(0)
    tokenizer = _tokenizer([*(m["content"] for each in read for m in each), MORE_WORDS])
    model: Any = transformers.LlamaForCausalLM(_shape(tokenizer))
    texts = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in read]
    batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    for step, loss in enumerate(_losses(model, tokenizer, batches)):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * (1 - step / len(batches))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _losses(model: Any, tokenizer: Any, batches: Sequence[Sequence[str]]) -> Iterator[Any]:
    for texts in batches:
        batch = tokenizer(texts, return_tensors="pt", padding=True)
        labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
        yield model(**batch, labels=labels).loss


def _tokenizer(texts: Sequence[str]) -> Any:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=TOKENS,
            special_tokens=list(SPECIAL),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token=END,
        pad_token=END_OF_TEXT,
        model_max_length=POSITIONS,
    )
    found.chat_template = TEMPLATE
    return found


def _shape(tokenizer: Any) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        max_position_embeddings=POSITIONS,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004
        sys.exit("usage: python -m small_llama CONVERSATIONS FOLDER")
    make(Path(sys.argv[1]), Path(sys.argv[2]))
