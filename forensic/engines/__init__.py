"""Engines: what runs the network. `torch` in float32 is always there and decides; the others are faster.

    choice           which engine, at which precision, and why; without torch
    onnx_file        the folded network as the bytes of an ONNX file, which both other engines read
    openvino_network, onnx_network    the network in another library
    runner           tiles of images to logits and embeddings; near a decision `torch` in float32 has the last word

Only the processor has several engines; a CUDA device has torch.
"""
