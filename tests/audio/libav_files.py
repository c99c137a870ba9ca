"""Files as libav makes them: sound, perhaps with pictures beside it."""

from fractions import Fraction

import av
import numpy as np


def encode_by_libav(path, samples, rate, codec, container, options, begins_s=0, picture_s=0):
    """begins_s: when the sound begins; picture_s: how long black pictures last beside it."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[samples.shape[1] if samples.ndim == 2 else 1]
    with av.open(str(path), "w", format=container, options=options) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = layout
        stream.codec_context.open()
        if picture_s:
            add_picture(file, picture_s)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(np.atleast_2d(samples.T)), format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(begins_s * rate)  # without: no word of encoder delay
        fit = av.AudioResampler(stream.format.name, layout, rate, frame_size=stream.codec_context.frame_size or None)
        for piece in [*fit.resample(frame), *fit.resample(None)]:
            file.mux(stream.encode(piece))
        file.mux(stream.encode(None))


def add_picture(file, seconds):
    stream = file.add_stream("mpeg4", rate=5)
    stream.width = stream.height = 16
    stream.pix_fmt = "yuv420p"
    for _ in range(5 * seconds):
        file.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")))
    file.mux(stream.encode(None))
