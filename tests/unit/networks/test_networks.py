"""Our own networks: what they may see, what they keep, and that they learn."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, set_seed

import perennial_networks

perennial_networks.register()
FAMILIES = ["rnn", "cnn", "mlp"]
LAYERS = [1, 3]


def network(family: str, auto, layers: int = 2, seed: int = 1, **more):
    shape = {"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": layers, "max_position_embeddings": 12}
    config = AutoConfig.for_model(f"perennial-{family}", **shape, pad_token_id=0, eos_token_id=1, **more)
    set_seed(seed)
    return auto.from_config(config)


def language_model(family: str, **more):
    return network(family, AutoModelForCausalLM, **more)


def classifier(family: str, **more):
    return network(family, AutoModelForSequenceClassification, num_labels=3, **more)


BOTH = [language_model, classifier]


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_no_token_depends_on_a_later_one(family, layers):
    model = language_model(family, layers=layers).eval()
    ids = torch.randint(2, 30, (2, 10))
    logits = model(input_ids=ids).logits
    for place in range(1, 10):
        changed = ids.clone()
        changed[:, place:] = torch.randint(2, 30, (2, 10 - place))
        assert torch.allclose(model(input_ids=changed).logits[:, :place], logits[:, :place], atol=1e-6)
    assert not torch.allclose(model(input_ids=ids.flip(1)).logits[:, -1], logits[:, -1])


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_padding_changes_no_class(family, layers):
    model = classifier(family, layers=layers).eval()
    ids = torch.randint(2, 30, (3, 6))
    logits = model(input_ids=ids).logits
    padding, mask = torch.zeros(3, 4, dtype=torch.long), torch.ones(3, 6)
    for side in (1, -1):
        padded = torch.cat([ids, padding][::side], dim=1)
        seen = torch.cat([mask, padding.float()][::side], dim=1)
        assert torch.allclose(model(input_ids=padded, attention_mask=seen).logits, logits, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_an_empty_text_has_a_class_too(family):
    logits = classifier(family).eval()(input_ids=torch.zeros(1, 3).long(), attention_mask=torch.zeros(1, 3)).logits
    assert logits.isfinite().all()


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_saved_network_is_loaded_bit_by_bit(tmp_path, family, make):
    model = make(family).eval()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    auto = AutoModelForCausalLM if make is language_model else AutoModelForSequenceClassification
    again, info = auto.from_pretrained(tmp_path, use_safetensors=True, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    ids = torch.randint(2, 30, (2, 8))
    assert torch.equal(again.eval()(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_decides_the_weights(family, make):
    first, same, other = (make(family, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_language_model_learns_what_follows(family):
    model = language_model(family, dropout=0.0)
    ids = (torch.arange(8)[None] + torch.arange(20)[:, None]) % 28 + 2  # each token is the one before it plus one
    first, last = trained(model, {"input_ids": ids, "labels": ids})
    assert first == pytest.approx(3.4, abs=0.7)  # ln 30: at first it knows nothing
    assert last < 0.3 * first
    said = model.eval().generate(torch.tensor([[5, 6, 7]]), max_new_tokens=3, do_sample=False)
    assert said[0].tolist() == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_classifier_learns_which_token_is_there(family):
    ids = torch.randint(5, 30, (60, 8))
    labels = torch.arange(60) % 3
    ids[torch.arange(60), torch.arange(60) % 8] = labels + 2
    first, last = trained(classifier(family, dropout=0.0), {"input_ids": ids, "labels": labels})
    assert last < 0.3 * first


def trained(model, batch) -> tuple[float, float]:
    """The loss before and after."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    first = model(**batch).loss.item()
    for _ in range(80):
        optimizer.zero_grad()
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
    return first, loss.item()


@pytest.mark.parametrize("make", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_can_stand_in_for_tokens(family, make):
    model = make(family).eval()
    ids = torch.randint(2, 30, (2, 8))
    embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
    logits = model(inputs_embeds=embedded).logits
    assert torch.allclose(logits, model(input_ids=ids).logits, atol=1e-6)
    logits.sum().backward()
    assert embedded.grad.abs().sum() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_of_minus_100_count_for_nothing(family):
    model = language_model(family).eval()
    ids = torch.randint(2, 30, (1, 8))
    masked = ids.clone()
    masked[:, 4:] = -100
    assert torch.allclose(model(input_ids=ids, labels=masked).loss, model(input_ids=ids[:, :4], labels=ids[:, :4]).loss)
