"""Name the plane in every frame of a live feed with ONNX Runtime and NumPy alone.

The model is made by `sonoplane export BUNDLE --to onnx --form stream --values inside`. Frames come on standard input as
raw gray pixels of the size that the bundle's card says, cropped to the ultrasound:

    python stream_onnx.py BUNDLE/model-stream-values.onnx < frames.raw
"""

import json
import os
import sys

import numpy as np

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # from 1.31 on it would report to its makers
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
frames, *pasts = session.get_inputs()
_, height, width = frames.shape
#: What the network remembers: zeros before the first frame, then what it gave with the last one.
memory = {past.name: np.zeros(past.shape, np.float32) for past in pasts}

while len(pixels := sys.stdin.buffer.read(height * width)) == height * width:
    frame = np.frombuffer(pixels, np.uint8).reshape(1, height, width)
    logits, *nexts = session.run(None, {"frames": frame, **memory})
    memory = dict(zip(memory, nexts, strict=True))
    probabilities = np.exp(logits[0] - logits[0].max())
    probabilities /= probabilities.sum()
    best = int(probabilities.argmax())
    print(classes[best], *(f"{each:.6f}" for each in probabilities), flush=True)
