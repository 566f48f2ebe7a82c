"""Sentiment analysis in TensorFlow: TextVectorization, an embedding, a bidirectional LSTM; a saved Keras model."""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import contract
import keras
import tensorflow as tf
from contract import Example, Job


class Reports(keras.callbacks.Callback):
    """Progress after each epoch; stops on SIGTERM at the end of a step."""

    def __init__(self, job: Job, steps_per_epoch: int) -> None:
        super().__init__()
        self.job = job
        self.steps_per_epoch = steps_per_epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.job.terminated:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if not self.job.terminated:
            step = (epoch + 1) * self.steps_per_epoch
            self.job.progress(step, loss=round(logs["loss"], 4), validationLoss=round(logs["val_loss"], 4))


def build(texts: list[str], words: int, units: int, classes: int) -> keras.Model:
    """Texts (batch,) to probabilities (batch, classes)."""
    vectorize = keras.layers.TextVectorization(max_tokens=words, output_sequence_length=64)
    vectorize.adapt(tf.constant(texts))
    text = keras.Input(shape=(), dtype=tf.string, name="text")
    embedded = keras.layers.Embedding(words, units, mask_zero=True)(vectorize(text))
    encoded = keras.layers.Bidirectional(keras.layers.LSTM(units))(embedded)
    return keras.Model(text, keras.layers.Dense(classes, activation="softmax")(encoded))


def dataset(examples: list[Example], labels: list[str], batch: int) -> tf.data.Dataset:
    texts = [example.text for example in examples]
    classes = [labels.index(example.label) for example in examples]
    return tf.data.Dataset.from_tensor_slices((texts, classes)).batch(batch)


def train(job: Job) -> None:
    wanted = job.hyperparameters
    keras.utils.set_random_seed(wanted["seed"])
    learnt, held_out = job.examples()
    labels = sorted({example.label for example in learnt})
    words, units = (int(job.parameters.get(*default)) for default in (("words", "5000"), ("units", "32")))
    model = build([example.text for example in learnt], words, units, len(labels))
    optimizer = keras.optimizers.AdamW(wanted["learningRate"], weight_decay=wanted["weightDecay"])
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    every = job.config["training"]["evaluateEverySteps"]
    judged = dataset(held_out, labels, wanted["batchSize"])
    # Goes on from the last whole epoch; what was saved goes with the working folder, when all is published.
    backup = keras.callbacks.BackupAndRestore(job.work / "backup", delete_checkpoint=False)
    model.fit(
        dataset(learnt, labels, wanted["batchSize"]).shuffle(1000, seed=wanted["seed"]).repeat(),
        epochs=max(1, wanted["maxSteps"] // every),
        steps_per_epoch=every,
        validation_data=judged,
        callbacks=[Reports(job, every), backup],
        verbose=0,
    )
    if job.terminated:
        raise contract.stopped()
    finish(job, model, labels, held_out, judged)


def finish(job: Job, model: keras.Model, labels: list[str], held_out: list[Example], judged: tf.data.Dataset) -> None:
    folder = job.work / "artifact"
    folder.mkdir(exist_ok=True)
    model.save(folder / "model.keras")
    (folder / "labels.json").write_text(json.dumps(labels))
    loss, _ = model.evaluate(judged, verbose=0)
    found = model.predict(judged, verbose=0).argmax(axis=1).tolist()
    metrics = contract.scores([labels.index(example.label) for example in held_out], found, len(labels))
    metrics = {name: round(number, 4) for name, number in {"loss": loss, **metrics}.items()}
    versions = {"tensorflow": tf.__version__, "keras": keras.__version__}
    job.publish(folder, metrics, job.hyperparameters["maxSteps"], madeWith=versions)


if __name__ == "__main__":
    sys.exit(contract.run(train))
