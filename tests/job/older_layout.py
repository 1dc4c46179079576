"""Writes weights in the older layout, as keras.applications publishes them: `older_layout.py FROM.weights.h5 TO.h5`."""

import sys

import h5py
import keras
from keras.src.legacy.saving import legacy_h5_format

network = keras.applications.MobileNetV2(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))
network.load_weights(sys.argv[1])
with h5py.File(sys.argv[2], "w") as file:
    legacy_h5_format.save_weights_to_hdf5_group(file, network)
