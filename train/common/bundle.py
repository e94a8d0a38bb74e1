# SPDX-License-Identifier: GPL-3.0-or-later
"""safetensors files, written and read: uint64 header length, JSON header, data."""
import json
import struct

import numpy as np

NAMES = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8", "I32": "<i4", "I16": "<i2",
         "I8": "i1", "U8": "u1"}
KINDS = {np.dtype(kind): name for name, kind in NAMES.items()}


def save(path, tensors, metadata):
    """tensors: {name: numpy array}; metadata: {str: str}."""
    header = {"__metadata__": metadata}
    offset = 0
    for name, array in tensors.items():
        header[name] = {"dtype": KINDS[array.dtype], "shape": list(array.shape),
                        "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array).tobytes())


def load(path):
    """-> ({name: numpy array}, metadata)"""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], NAMES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata


def half(module, prefix):
    """A module's parameters and buffers as float16 arrays under `prefix`."""
    return {prefix + name: value.detach().cpu().numpy().astype("<f2")
            for name, value in module.state_dict().items()}
