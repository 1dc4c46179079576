"""Makes a MobileNetV2 weights file for the demo and the tests: `weights.py trained FROM.h5 TO` or `weights.py seeded TO`.

Run with the Python of the spark set, which has Keras. Neither is Keras's own ImageNet file, and neither may be called so:
"trained" is fine-tuned on photos of dogs after ImageNet, "seeded" has learnt nothing.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import h5py  # noqa: E402
import keras  # noqa: E402

BASE = "model_weights/mobilenetv2_1.00_160"  # the network inside the trained model; 160 pixels or 224, its weights are the same
SEED = 7


def network() -> keras.Model:
    return keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))


def trained(source: Path) -> keras.Model:
    """The network with another model's base weights, matched by layer and by name: a layer that lacks one is an error."""
    model = network()
    with h5py.File(source) as file:
        for layer in model.layers:
            if layer.weights:
                found = {}
                file[BASE][layer.name].visititems(
                    lambda path, item: found.update({own_name(path): item[()]}) if isinstance(item, h5py.Dataset) else None)
                layer.set_weights([found[own_name(weight.name)] for weight in layer.weights])
    return model


def own_name(path: str) -> str:
    """'Conv1/kernel:0' -> 'kernel'."""
    return path.rpartition("/")[2].partition(":")[0]


def seeded() -> keras.Model:
    keras.utils.set_random_seed(SEED)
    return network()


def main(kind: str, *paths: str) -> None:
    model = trained(Path(paths[0])) if kind == "trained" else seeded()
    target = Path(paths[-1])
    target.parent.mkdir(parents=True, exist_ok=True)
    # Keras minds how the name ends. A half-written file never gets the final name.
    part = target.with_name(f"part-{target.name}")
    model.save_weights(part)
    part.rename(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
