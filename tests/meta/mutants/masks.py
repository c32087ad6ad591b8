"""Masks that go wrong, in every framework."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fixtures.adapters import adapters
from tests.meta.mutants import Catalogue

TORCH, KERAS3, KERAS2, TF1 = CATALOGUES = tuple(
    Catalogue(adapter) for adapter in ("torch", "keras3", "keras2", "tf1")
)

VALUES = "masked-values-are-the-oracles"
GRADIENTS = "masked-gradients-are-the-oracles"
RECORDED = "recorded-gradients-of-short-rows-are-still-computed"
TWO_WIDTHS = "keras-directions-may-have-different-widths"
PADDING = "masked-inputs-change-nothing"
NAN = "nan-at-a-masked-step-reaches-no-result"
NAN_GRADIENTS = "nan-at-a-masked-step-reaches-no-gradient"
PADDED = "padding-to-any-length-changes-nothing"
ROW_BY_ROW = "a-masked-batch-is-its-rows-one-by-one"
PERMUTED = "permuting-the-batch-permutes-the-result"
EMPTY = "a-row-without-a-step-keeps-its-state"
ZERO = "masked-output-is-zero"
ZEROED = "keras-zeros-masked-outputs-where-told"
REPEATED = "keras-repeats-the-output-before-a-masked-step"
LAST = "keras-last-output-under-a-mask-is-h-or-zero"
NOT_H = "last-step-under-a-mask-is-not-h"
MODEL = "keras-masking-reaches-every-layer-of-a-model"
SEQUENTIAL = "keras-masking-reaches-every-layer-of-a-sequential"
IN_ANOTHER = "keras-masking-reaches-layers-of-another-precision"
EMBEDDED = "keras-embedding-masks-index-zero"
BETWEEN = "keras-layers-between-pass-the-mask-on"
IN_FIT = "keras-layers-between-pass-the-mask-on-in-fit"
STACKED = "keras-stacked-cells-stand-still-together"
ALONE = "keras-a-stack-of-one-cell-takes-a-mask"
STATEFUL = "keras-stateful-layers-take-a-mask"
PASSED_ON = "keras-passes-a-mask-on-with-sequences-alone"
NOT_TURNED = "keras-mask-is-not-turned-with-the-output"
AROUND = "keras-a-way-around-a-layer-passes-the-mask-on"
MERGED = {
    "keras3": "keras-3-merged-steps-count-in-any-input",
    "keras2": "keras-2-merged-steps-count-in-each-input",
}
GIVEN = "keras-a-mask-of-the-first-layer-goes-on"
ABOVE = "keras-layers-above-pass-over-masked-steps"

SENTENCES = "sentences-end-where-their-own-bytes-lead"
COPIED = "an-embedding-changes-no-bit"
TEXT = ("sentences-bidirectional", "sentences-two-layers")

PLAIN = ("masked-holes-gru", "masked-left-rnn", "masked-right-rnn")
BOTH = ("masked-holes-lstm-bidirectional", "masked-left-lstm-bidirectional")
BACKWARDS = (
    "masked-right-rnn-from-zero-backwards", "masked-holes-gru-two-layers-from-zero-backwards",
)  # fmt: skip
UNROLLED = ("masked-holes-rnn-two-layers-unrolled-zeros",)
ROWS = ("masked-rows-gru", "masked-rows-rnn-bidirectional")
TWO_LAYERS = (
    "masked-right-lstm-two-layers-bidirectional-from-zero",
    "masked-holes-rnn-two-layers-bidirectional-from-zero",
)  # fmt: skip


# Keras


def mask_of(mask: Any) -> Any:
    """Keras 2 hands some layers their mask in a list."""
    return mask[0] if isinstance(mask, list | tuple) else mask


def around(
    patch: Any, adapter: str,
    before: Callable[..., Any] = lambda _, x, initial, mask: (x, initial, mask),
    after: Callable[..., Any] = lambda _, mask, output, *states: (output, *states),
) -> None:  # fmt: skip
    """Every call of a recurrent layer under a mask between `before(layer, x, initial, mask)` and
    `after(layer, mask, output, *states)`."""
    layers = adapters()[adapter].keras().layers
    for one in (layers.RNN,) if adapter == "keras3" else (layers.RNN, layers.LSTM, layers.GRU):
        call = one.call

        @functools.wraps(call)  # Keras 3 knows arguments by their names
        def wrong(self, x, mask=None, training=None, initial_state=None, call=call, **kwargs):
            given = mask_of(mask)
            if given is not None:
                x, initial_state, mask = before(self, x, initial_state, given)
            training = {} if training is None else {"training": training}
            result = call(self, x, mask=mask, initial_state=initial_state, **training, **kwargs)
            if given is None or not self.return_state:
                return result
            return type(result)(after(self, given, *result))

        patch.setattr(one, "call", wrong)


def turned(mask: Any) -> Any:
    return mask[:, ::-1]


def mask_where(told: Callable[[Any], bool], change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A mask that is another where the layer is told something."""

    def before(layer: Any, x: Any, initial: Any, mask: Any) -> tuple[Any, Any, Any]:
        return x, initial, change(mask) if told(layer) else mask

    return before


def always(_: Any) -> bool:
    return True


def padding_leaks(_: Any, x: Any, initial: Any, mask: Any) -> tuple[Any, Any, Any]:
    """A little of every masked step comes into the first step that counts, or the only one."""
    import tensorflow as tf

    gone = tf.cast(tf.logical_not(mask), x.dtype)[:, :, None]
    return x + 1e-3 * tf.reduce_sum(x * gone, axis=1, keepdims=True), initial, mask


def masked_by_a_product(_: Any, x: Any, initial: Any, mask: Any) -> tuple[Any, Any, Any]:
    """What is masked is multiplied by zero, which is zero of numbers alone."""
    import tensorflow as tf

    gone = tf.cast(tf.logical_not(mask), x.dtype)[:, :, None]
    return x + tf.reduce_sum(0 * x * gone, axis=1, keepdims=True), initial, mask


def neighbours_mask(mask: Any) -> Any:
    """Each row is given the mask of the row before it."""
    import tensorflow as tf

    return tf.roll(mask, 1, axis=0)


def whole_rows_from_zero(_: Any, mask: Any, output: Any, *states: Any) -> tuple[Any, ...]:
    import tensorflow as tf

    some = tf.reduce_any(mask, axis=1)[:, None]
    return output, *(tf.where(some, state, tf.zeros_like(state)) for state in states)


def no_gradient_where_masked(_: Any, mask: Any, output: Any, *states: Any) -> tuple[Any, ...]:
    """The state of a row that ends early, cut off."""
    import tensorflow as tf

    whole = tf.reduce_all(mask, axis=1)[:, None]
    return output, *(tf.where(whole, state, tf.stop_gradient(state)) for state in states)


def zeros_from_the_first(layer: Any, mask: Any, output: Any, *states: Any) -> tuple[Any, ...]:
    """Before a row's first step the output is not zero but h, as in a loop that starts with it."""
    import tensorflow as tf

    if not layer.return_sequences or layer.go_backwards or layer.zero_output_for_mask:
        return output, *states
    begun = tf.cumsum(tf.cast(mask, "int32"), axis=1) > 0
    return tf.where(begun[:, :, None], output, states[0][:, None]), *states


def last_is_the_last_step(layer: Any, mask: Any, output: Any, *states: Any) -> tuple[Any, ...]:
    """Without `return_sequences` zeros for each row that ends in a masked step."""
    import tensorflow as tf

    if layer.return_sequences:
        return output, *states
    end = mask[:, 0] if layer.go_backwards else mask[:, -1]
    return tf.where(end[:, None], output, tf.zeros_like(output)), *states


def never_zeros(patch: Any, adapter: str) -> None:
    def before(layer: Any, x: Any, initial: Any, mask: Any) -> tuple[Any, Any, Any]:
        layer.zero_output_for_mask = False
        return x, initial, mask

    around(patch, adapter, before)


def method(patch: Any, adapter: str, layer: str, name: str, wrong: Callable[..., Any]) -> None:
    """A method of one of Keras's layers that computes what `wrong(healthy, self, ...)` does."""
    one = getattr(adapters()[adapter].keras().layers, layer)
    healthy = getattr(one, name)
    patch.setattr(one, name, lambda self, *args, **kwargs: wrong(healthy, self, *args, **kwargs))


def no_mask(healthy: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    masks = healthy(self, *args, **kwargs)
    return [None for _ in masks] if isinstance(masks, list | tuple) else None


def turned_for_backwards(healthy: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    masks = healthy(self, *args, **kwargs)
    if not self.go_backwards or masks is None:
        return masks
    return [masks[0][:, ::-1], *masks[1:]] if isinstance(masks, list | tuple) else masks[:, ::-1]


def passed_on_always(healthy: Any, self: Any, inputs: Any, mask: Any = None) -> Any:
    found = healthy(self, inputs, mask)
    none = [None] * (len(found) - 1) if isinstance(found, list | tuple) else None
    return mask_of(mask) if none is None else [mask_of(mask), *none]


def every_third(healthy: Any, self: Any, inputs: Any, mask: Any = None) -> Any:
    found = healthy(self, inputs, mask)
    return None if found is None else found & healthy(self, inputs % 3, mask)


def another_value(patch: Any, adapter: str) -> None:
    """`Masking` that masks the steps of ones, in place of those of zeros."""
    one = adapters()[adapter].keras().layers.Masking
    init = one.__init__

    @functools.wraps(init)
    def wrong(self, mask_value=0.0, **kwargs):
        init(self, mask_value=mask_value + 1, **kwargs)

    patch.setattr(one, "__init__", wrong)


def lost_on_the_way(patch: Any, adapter: str, layer: str) -> None:
    """A layer whose output has no mask: not even that of an input which it hands on as it is."""
    method(patch, adapter, layer, "compute_mask", no_mask)
    one = getattr(adapters()[adapter].keras().layers, layer)
    call = one.call

    @functools.wraps(call)
    def wrong(self, *args, **kwargs):
        # Keras 2 hands a mask to whoever would take it.
        known = inspect.signature(call).parameters
        return 1.0 * call(self, *args, **{one: kwargs[one] for one in kwargs if one in known})

    patch.setattr(one, "call", wrong)


def lost_in_training(patch: Any, adapter: str) -> None:
    """A SimpleRNN that looks at its mask at inference alone."""
    one = adapters()[adapter].keras().layers.SimpleRNN
    call = one.call

    @functools.wraps(call)
    def wrong(self, sequences, initial_state=None, mask=None, training=False, **kwargs):
        mask = None if training else mask
        return call(
            self, sequences, initial_state=initial_state, mask=mask, training=training, **kwargs
        )

    patch.setattr(one, "call", wrong)


def stacked_unmasked(patch: Any, adapter: str, alone: bool = False) -> None:
    """Of stacked cells; with `alone` of stacks of one cell."""

    def stacked(layer: Any) -> bool:
        cells = getattr(layer.cell, "cells", ())
        return len(cells) == 1 if alone else bool(cells)

    around(patch, adapter, mask_where(stacked, lambda _: None))


def the_byte_before(patch: Any, adapter: str) -> None:
    """An embedding that looks up the vector of the byte before."""
    import tensorflow as tf

    one = adapters()[adapter].keras().layers.Embedding
    call = one.call

    @functools.wraps(call)
    def wrong(self, inputs):
        return call(self, tf.maximum(inputs - 1, 0))

    patch.setattr(one, "call", wrong)


def merged_the_other_way(patch: Any, adapter: str, layer: str) -> None:
    """A layer of two inputs that masks what Keras 2 does in Keras 3, and the other way round."""
    import keras
    import tensorflow as tf

    def wrong(_: Any, self: Any, inputs: Any, mask: Any = None) -> Any:
        given = [one for one in mask if one is not None]
        if adapter == "keras3":
            return given[0] if len(given) == 1 else keras.ops.logical_and(*given)
        return tf.logical_or(*given) if len(given) == 2 else None

    method(patch, adapter, layer, "compute_mask", wrong)


def lost_if_it_is_given(patch: Any, adapter: str) -> None:
    """What a layer returns has no mask if the layer was handed one, as in Keras 3 before 3.11:
    <https://github.com/keras-team/keras/pull/21449>."""

    def wrong(healthy: Any, self: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        if mask is None:
            return healthy(self, *args, **kwargs)
        result = healthy(self, *args, mask=mask, **kwargs)
        for one in result if isinstance(result, list | tuple) else [result]:
            one._keras_mask = None
        return result

    method(patch, adapter, "Layer", "__call__", wrong)


def taken_without_its_mask(patch: Any, adapter: str, layer: str) -> None:
    """A layer that computes as if it were told of no mask."""
    one = getattr(adapters()[adapter].keras().layers, layer)
    call = one.call

    @functools.wraps(call)  # Keras 3 knows arguments by their names
    def wrong(self, *args, mask=None, **kwargs):
        # Keras 2 hands `training` to whoever would take it.
        known = inspect.signature(call).parameters
        return call(self, *args, **{one: kwargs[one] for one in kwargs if one in known})

    patch.setattr(one, "call", wrong)


def add_keras(catalogue: Catalogue) -> None:
    adapter = catalogue.adapter

    def layer(
        name: str, family: str, caught_by: tuple[str, ...], cases: tuple[str, ...], **how: Any
    ) -> None:
        make = functools.partial(around, adapter=adapter, **how)
        catalogue.add(f"mask-{name}", family, caught_by, make, cases)

    layer("turned", "a mask turned round", (VALUES, PADDING, ROW_BY_ROW, REPEATED), PLAIN,
          before=mask_where(always, turned))  # fmt: skip
    layer("inverted", "a mask inverted", (VALUES, PADDED, ROW_BY_ROW, PERMUTED), PLAIN,
          before=mask_where(always, lambda mask: ~mask))  # fmt: skip
    layer("of-the-neighbour", "a row's mask given to the next", (VALUES, ROW_BY_ROW), PLAIN,
          before=mask_where(always, neighbours_mask))  # fmt: skip
    layer("not-turned-backwards", "a mask not turned with the input", (VALUES, PADDING), BACKWARDS,
          before=mask_where(lambda one: one.go_backwards, turned))  # fmt: skip
    layer("not-turned-in-bidirectional", "a mask not turned with the input",
          (VALUES, PADDING, TWO_WIDTHS), BOTH,
          before=mask_where(lambda one: one.go_backwards, turned))  # fmt: skip
    layer("lost-unrolled", "a mask lost beside an option", (VALUES, PADDING), UNROLLED,
          before=mask_where(lambda one: one.unroll, lambda _: None))  # fmt: skip
    layer("lost-backwards", "a mask lost beside an option", (VALUES, PADDING), BACKWARDS,
          before=mask_where(lambda one: one.go_backwards, lambda _: None))  # fmt: skip
    layer("lost-without-sequences", "a mask lost beside an option", (VALUES, PADDING, LAST),
          ("masked-rows-rnn-two-layers-from-zero-last",
           "masked-right-gru-bidirectional-from-zero-last"),
          before=mask_where(lambda one: not one.return_sequences, lambda _: None))  # fmt: skip
    layer("lost-if-stateful", "a mask lost beside an option", (STATEFUL,),
          ("masked-right-lstm-from-zero",),
          before=mask_where(lambda one: one.stateful, lambda _: None))  # fmt: skip
    layer("padding-leaks", "what is masked comes into what counts", (VALUES, PADDING, ROW_BY_ROW),
          PLAIN, before=padding_leaks)  # fmt: skip
    layer("masked-by-a-product", "what is masked is multiplied by zero", (NAN,), PLAIN,
          before=masked_by_a_product)  # fmt: skip
    layer("empty-rows-from-zero", "the state of a row without a step lost", (EMPTY, VALUES),
          ROWS, after=whole_rows_from_zero)  # fmt: skip
    layer("gradient-cut", "gradient cut where a step is masked", (GRADIENTS, RECORDED),
          (*PLAIN, "recorded-grad-multi2-widths-seq-state"),
          after=no_gradient_where_masked)  # fmt: skip
    layer("output-begins-with-h", "h put out before a row begins", (REPEATED,),
          ("masked-left-rnn", "masked-rows-gru"), after=zeros_from_the_first)  # fmt: skip
    layer("last-output-of-the-last-step", "the single output is not h", (LAST,),
          ("masked-rows-rnn-two-layers-from-zero-last",
           "masked-left-lstm-from-zero-backwards-last"),
          after=last_is_the_last_step)  # fmt: skip
    catalogue.add("mask-never-zeroes", "masked outputs not zeroed", (ZEROED,),
                  functools.partial(never_zeros, adapter=adapter),
                  ("masked-right-lstm-from-zero-zeros", *BOTH))  # fmt: skip
    catalogue.add("mask-of-stacked-cells-lost", "a mask lost beside an option", (STACKED,),
                  functools.partial(stacked_unmasked, adapter=adapter),
                  ("masked-right-lstm-two-layers",))  # fmt: skip
    catalogue.add("masking-of-another-value", "a layer makes another mask", (MODEL, SEQUENTIAL),
                  functools.partial(another_value, adapter=adapter))  # fmt: skip
    catalogue.add("mask-lost-in-training", "a mask lost beside an option", (IN_FIT,),
                  functools.partial(lost_in_training, adapter=adapter))  # fmt: skip
    for one in ("Dropout", "SpatialDropout1D", "Activation", "Dense", "TimeDistributed"):
        catalogue.add(f"mask-lost-in-{one.lower()}", "a mask lost on the way", (BETWEEN, IN_FIT),
                      functools.partial(lost_on_the_way, adapter=adapter, layer=one))  # fmt: skip
    catalogue.add("embedding-of-the-byte-before", "an embedding off by one", (SENTENCES, COPIED),
                  functools.partial(the_byte_before, adapter=adapter), TEXT)  # fmt: skip
    for one in ("Add", "Concatenate"):
        catalogue.add(f"mask-merged-the-other-way-by-{one.lower()}", "a layer makes another mask",
                      (MERGED[adapter],),
                      functools.partial(merged_the_other_way, adapter=adapter, layer=one),
                      ("masked-right-lstm-from-zero",))  # fmt: skip
    catalogue.add("mask-lost-if-it-is-given", "a mask lost on the way", (GIVEN,),
                  functools.partial(lost_if_it_is_given, adapter=adapter), TWO_LAYERS)  # fmt: skip
    for one in (
        "Attention", "AdditiveAttention", "GlobalAveragePooling1D", "BatchNormalization",
    ):  # fmt: skip
        catalogue.add(f"mask-not-looked-at-by-{one.lower()}", "a mask lost on the way", (ABOVE,),
                      functools.partial(taken_without_its_mask, adapter=adapter, layer=one),
                      ("masked-right-lstm-from-zero",))  # fmt: skip
    passing: tuple[tuple[str, str, str, str, tuple[str, ...], Callable[..., Any]], ...] = (
        ("not-passed-on-by-add", "a mask lost on the way", "Add", "compute_mask",
         (AROUND,), no_mask),
        ("not-passed-on", "a mask lost on the way", "RNN", "compute_mask",
         (MODEL, PASSED_ON), no_mask),
        ("not-passed-on-by-bidirectional", "a mask lost on the way", "Bidirectional",
         "compute_mask", (MODEL, SEQUENTIAL, EMBEDDED, BETWEEN, PASSED_ON), no_mask),
        ("passed-on-always", "a mask passed on with one output", "RNN", "compute_mask",
         (PASSED_ON,), passed_on_always),
        ("turned-for-backwards", "a mask turned with the output", "RNN", "compute_mask",
         (NOT_TURNED,), turned_for_backwards),
        ("of-an-embedding-takes-every-third", "a layer makes another mask", "Embedding",
         "compute_mask", (EMBEDDED,), every_third),
        ("of-an-embedding-lost", "a mask lost on the way", "Embedding", "compute_mask",
         (EMBEDDED,), no_mask),
    )  # fmt: skip
    for name, family, one, what, caught_by, wrong in passing:
        make = functools.partial(method, adapter=adapter, layer=one, name=what, wrong=wrong)
        catalogue.add(
            f"mask-{name}",
            family,
            caught_by,
            make,
            (*PLAIN, *BOTH, *TWO_LAYERS[:1] * (one == "Add")),
        )


add_keras(KERAS3)
add_keras(KERAS2)


def mask_lost_in_a_cast(patch: Any, adapter: str) -> None:
    """What a layer is given, cast before it looks for a mask, as in Keras 3 before 3.14:
    <https://github.com/keras-team/keras/pull/21946>."""
    import tensorflow as tf

    layer = adapters()[adapter].keras().layers.Layer
    call = layer.__call__

    @functools.wraps(call)
    def wrong(self, x, *args, **kwargs):
        if tf.is_tensor(x) and x.dtype.is_floating and x.dtype.name != self.compute_dtype:
            x = tf.cast(x, self.compute_dtype)
        return call(self, x, *args, **kwargs)

    patch.setattr(layer, "__call__", wrong)


for catalogue in (KERAS3, KERAS2):
    catalogue.add("mask-lost-in-a-cast", "a mask lost on the way", (IN_ANOTHER,),
                  functools.partial(mask_lost_in_a_cast, adapter=catalogue.adapter),
                  ("masked-right-lstm-two-layers",))  # fmt: skip


@KERAS3.mutant(
    "recurrent layers hand no mask on",
    MODEL, SEQUENTIAL, IN_ANOTHER, EMBEDDED, BETWEEN, IN_FIT, AROUND, GIVEN, ABOVE,
    SENTENCES, COPIED,
    "keras-nested-models-pass-the-mask-on",
    "keras-fit-takes-a-smaller-last-batch",
    "keras-loss-is-the-mean-of-a-batchs-counted-steps",
    "keras-metrics-are-the-mean-of-all-counted-steps",
    "keras-evaluate-measures-alike-however-compiled",
    cases=("masked-right-lstm-two-layers",),
)  # fmt: skip
def masking_is_not_supported(patch):
    """As in Keras's nightly builds before 3.16."""
    layers = adapters()["keras3"].keras().layers
    never = property(lambda _: False, lambda _, value: None)
    for one in (layers.RNN, layers.Bidirectional, layers.TimeDistributed):
        patch.setattr(one, "supports_masking", never, raising=False)


# Keras 3 on TensorFlow raises there anyway.
KERAS2.add("mask-of-a-stack-of-one-lost", "a mask lost beside an option", (ALONE,),
           functools.partial(stacked_unmasked, adapter="keras2", alone=True),
           ("masked-right-lstm-from-zero", "masked-holes-gru"))  # fmt: skip


# torch


RIGHT = ("masked-right-lstm-bidirectional", "masked-right-lstm-two-layers", "masked-right-rnn")
PACKED = "torch-packs-in-many-ways-to-the-same-bits"
REFUSED = "torch-refuses-a-length-of-zero"
UNFIT = "torch-refuses-packs-that-do-not-fit"


def permuting(patch: Any, wrong: Callable[..., Any]) -> None:
    """torch.nn.LSTM's own sorting of h and c: `wrong(h, c, by)`, on the way in and out."""
    import torch

    healthy = torch.nn.LSTM.permute_hidden

    def permute_hidden(self, hx, permutation):
        return hx if permutation is None else wrong(healthy, self, hx, permutation)

    patch.setattr(torch.nn.LSTM, "permute_hidden", permute_hidden)


@TORCH.mutant("rows' states sorted wrongly", VALUES, PERMUTED, PACKED, cases=RIGHT)
def packed_c_left_sorted(patch):
    permuting(patch, lambda healthy, self, hx, by: (healthy(self, hx, by)[0], hx[1]))


@TORCH.mutant("rows' states sorted wrongly", VALUES, ROW_BY_ROW, PACKED, cases=RIGHT)
def packed_states_sorted_twice(patch):
    permuting(patch, lambda healthy, self, hx, by: healthy(self, healthy(self, hx, by), by))


def packing(patch: Any, name: str, wrong: Callable[..., Any]) -> None:
    """A function of torch.nn.utils.rnn, as `wrong(healthy, ...)`."""
    from torch.nn.utils import rnn

    patch.setattr(rnn, name, functools.partial(wrong, getattr(rnn, name)))


def one_more(pack, x, lengths, *args, **kwargs):
    time = x.shape[1 if kwargs.get("batch_first") else 0]
    return pack(x, (lengths + 1).clamp(max=time), *args, **kwargs)


@TORCH.mutant("a row is a step longer", VALUES, PADDING, PADDED, ROW_BY_ROW, GRADIENTS,
              cases=RIGHT)  # fmt: skip
def packed_rows_a_step_longer(patch):
    packing(patch, "pack_padded_sequence", one_more)


@TORCH.mutant("a row is a step longer", PACKED, cases=RIGHT)
def packed_rows_a_step_longer_with_time_first(patch):
    def wrong(pack, x, lengths, *args, batch_first=False, **kwargs):
        make = pack if batch_first else functools.partial(one_more, pack)
        return make(x, lengths, *args, batch_first=batch_first, **kwargs)

    packing(patch, "pack_padded_sequence", wrong)


@TORCH.mutant("rows' states sorted wrongly", PACKED, cases=RIGHT)
def pack_sequence_in_the_order_of_the_rows(patch):
    def wrong(pack, sequences, enforce_sorted=True):
        packed = pack(sequences, enforce_sorted=enforce_sorted)
        return packed._replace(unsorted_indices=packed.sorted_indices)

    packing(patch, "pack_sequence", wrong)


@TORCH.mutant("masked outputs not zeroed", ZERO, NOT_H, cases=RIGHT)
def padded_with_the_last_output(patch):
    def wrong(pad, *args, **kwargs):
        output, lengths = pad(*args, **kwargs)
        last = output[range(len(lengths)), lengths - 1][:, None]
        return output.where(output != 0, last), lengths

    packing(patch, "pad_packed_sequence", wrong)


@TORCH.mutant("masked outputs not zeroed", ZERO, cases=RIGHT)
def padded_with_a_tiny_number(patch):
    def wrong(pad, *args, **kwargs):
        return pad(*args, **(kwargs | {"padding_value": 1e-30}))

    packing(patch, "pad_packed_sequence", wrong)


@TORCH.mutant("rows unpacked as they were sorted", "torch-unpacked-rows-are-those-of-the-output",
              cases=RIGHT)  # fmt: skip
def unpacked_rows_stay_sorted(patch):
    def wrong(unpack, packed):
        return unpack(packed._replace(sorted_indices=None, unsorted_indices=None))

    packing(patch, "unpack_sequence", wrong)


@TORCH.mutant("a row is a step longer", "torch-unpacked-rows-are-those-of-the-output", cases=RIGHT)
def unpadded_rows_a_step_longer(patch):
    packing(patch, "unpad_sequence", one_more)


@TORCH.mutant("an order that another pack had", "torch-a-pack-made-anew-forgets-the-order",
              cases=RIGHT)  # fmt: skip
def packs_remember_the_order(patch):
    last: dict[str, Any] = {}

    def wrong(made, data, sizes, sorted_indices=None, unsorted_indices=None):
        if sorted_indices is not None:
            last.update(sorted_indices=sorted_indices, unsorted_indices=unsorted_indices)
        return made(data, sizes, **last)

    packing(patch, "PackedSequence", wrong)


@TORCH.mutant("lengths cut to the steps that there are", UNFIT, cases=("gru-smallest",))
def lengths_are_cut(patch):
    """<https://github.com/pytorch/pytorch/issues/146744>"""
    from torch.nn.utils import rnn

    healthy = rnn.pack_padded_sequence

    def cut(x, lengths, batch_first=False, enforce_sorted=True):
        steps = x.shape[1 if batch_first else 0]
        return healthy(x, [min(one, steps) for one in lengths], batch_first, enforce_sorted)

    patch.setattr(rnn, "pack_padded_sequence", cut)


@TORCH.mutant("packs that are made up are padded", UNFIT, cases=("gru-smallest",))
def made_up_packs_are_padded(patch):
    """As where nobody asks of the sizes (<https://github.com/pytorch/pytorch/issues/169213>)."""
    from torch.nn.utils import rnn

    healthy = rnn.pad_packed_sequence

    def pad(packed, *args, **options):
        try:
            return healthy(packed, *args, **options)
        except RuntimeError:
            return packed.data[None], packed.batch_sizes

    patch.setattr(rnn, "pad_packed_sequence", pad)


@TORCH.mutant("a row without a step taken for one of one", REFUSED)
def a_length_of_zero_is_taken(patch):
    def wrong(pack, x, lengths, *args, **kwargs):
        return pack(x, lengths.clamp(min=1), *args, **kwargs)

    packing(patch, "pack_padded_sequence", wrong)


@TORCH.mutant("gradient cut where a step is masked", GRADIENTS, cases=RIGHT)
def packed_gradient_cut(patch):
    def wrong(pack, x, *args, **kwargs):
        return pack(x * 0.999 + x.detach() * 0.001, *args, **kwargs)

    packing(patch, "pack_padded_sequence", wrong)


@TORCH.mutant("what is masked is multiplied by zero", NAN_GRADIENTS, cases=RIGHT)
def padding_multiplied_by_zero_on_the_way_back(patch):
    def wrong(pack, x, *args, **kwargs):
        return pack(x * (1 + 0 * x[:, :1].sum()), *args, **kwargs)

    packing(patch, "pack_padded_sequence", wrong)


@TORCH.mutant("rows' states sorted wrongly", VALUES, GRADIENTS,
              cases=("masked-right-projected-bidirectional",))  # fmt: skip
def packed_states_left_sorted_where_they_project(patch):
    permuting(patch, lambda healthy, self, hx, by: hx if self.proj_size else healthy(self, hx, by))


@TORCH.mutant("an embedding off by one", SENTENCES, COPIED, cases=TEXT)
def embedding_of_the_byte_before(patch):
    import torch

    forward = torch.nn.Embedding.forward
    patch.setattr(
        torch.nn.Embedding, "forward", lambda self, x: forward(self, (x - 1).clamp(min=0))
    )


@TORCH.mutant("a batch of one computed otherwise", "a-sentence-alone-ends-as-among-others",
              ROW_BY_ROW, cases=(*TEXT, *RIGHT))  # fmt: skip
def batch_of_one_rounded(patch):
    import torch

    forward = torch.nn.LSTM.forward

    def wrong(self, x, hx=None):
        return forward(self, x.bfloat16().to(x.dtype), hx) if len(x) == 1 else forward(self, x, hx)

    patch.setattr(torch.nn.LSTM, "forward", wrong)


# TensorFlow 1


@TF1.mutant("an embedding off by one", SENTENCES, COPIED, cases=TEXT)
def embedding_of_the_byte_before_in_a_graph(patch):
    import tensorflow as tf

    lookup = tf.nn.embedding_lookup
    patch.setattr(tf.nn, "embedding_lookup", lambda table, at: lookup(table, (at - 1).clip(min=0)))


TF1_ROWS = ("masked-rows-lstm-two-layers-from-zero", "masked-rows-rnn-bidirectional")


def a_step(patch: Any, wrong: Callable[..., Any]) -> None:
    """One step of dynamic_rnn under lengths: `wrong(tf, time, lengths, zeros, state, healthy)`
    gives the output and the state, `healthy()` what the step should give."""
    import tensorflow as tf
    from tensorflow.python.ops import rnn

    step = rnn._rnn_step

    def one(**given):
        time, lengths, state = (given[name] for name in ("time", "sequence_length", "state"))
        return wrong(tf, time, lengths, state, lambda: step(**given))

    patch.setattr(rnn, "_rnn_step", one)


def each(tf: Any, change: Callable[..., Any], *structures: Any) -> Any:
    return tf.nest.map_structure(change, *structures)


@TF1.mutant("the state of a row without a step lost", EMPTY, cases=TF1_ROWS)
def empty_rows_begin_at_one(patch):
    def wrong(tf, time, lengths, state, healthy):
        output, new = healthy()
        empty = tf.equal(lengths, 0)[:, None]
        return output, each(tf, lambda one: tf.where(empty, one + 1.0, one), new)

    a_step(patch, wrong)


@TF1.mutant("a state past a row's end goes on", VALUES, ROW_BY_ROW,
            cases=("masked-right-lstm-two-layers", "masked-right-rnn"))  # fmt: skip
def state_halved_past_a_rows_end(patch):
    def wrong(tf, time, lengths, state, healthy):
        output, new = healthy()
        past = (time >= lengths)[:, None]
        return output, each(tf, lambda one, old: tf.where(past, 0.5 * old, one), new, state)

    a_step(patch, wrong)


@TF1.mutant("a state past a row's end goes on", VALUES, GRADIENTS,
            cases=("masked-right-gru-reset-before-bidirectional",))  # fmt: skip
def state_of_a_gru_goes_on_past_a_rows_end(patch):
    """Of no LSTM, whose state is a tuple."""
    from tensorflow.python.ops import rnn

    step = rnn._rnn_step

    def wrong(**given):
        longest = {"sequence_length": given["max_sequence_length"] + 0 * given["sequence_length"]}
        return step(**(given | ({} if isinstance(given["state"], tuple) else longest)))

    patch.setattr(rnn, "_rnn_step", wrong)


@TF1.mutant("masked outputs not zeroed", ZERO, NOT_H,
            cases=("masked-right-lstm-two-layers", "masked-right-rnn"))  # fmt: skip
def output_past_a_rows_end_is_h(patch):
    def wrong(tf, time, lengths, state, healthy):
        output, new = healthy()
        past = (time >= lengths)[:, None]
        h = tf.nest.flatten(new)[-1]
        return each(tf, lambda one: tf.where(past, h, one), output), new

    a_step(patch, wrong)


def lengths_of(patch: Any, change: Callable[[Any, Any], Any]) -> None:
    """dynamic_rnn told other lengths."""
    import tensorflow as tf

    nn = tf.compat.v1.nn
    for name in ("dynamic_rnn", "bidirectional_dynamic_rnn"):
        healthy = getattr(nn, name)

        def wrong(*args, sequence_length=None, healthy=healthy, **kwargs):
            if sequence_length is not None:
                sequence_length = change(sequence_length, args[-1].shape[1])
            return healthy(*args, sequence_length=sequence_length, **kwargs)

        patch.setattr(nn, name, wrong)


@TF1.mutant("a row is a step longer", VALUES, PADDING, PADDED, ROW_BY_ROW, GRADIENTS,
            cases=("masked-right-lstm-bidirectional", "masked-right-rnn"))  # fmt: skip
def rows_a_step_longer(patch):
    lengths_of(patch, lambda lengths, time: (lengths + 1).clip(max=int(time)))


@TF1.mutant("a row's mask given to the next", VALUES, ROW_BY_ROW, PERMUTED,
            cases=("masked-right-lstm-bidirectional", "masked-right-rnn"))  # fmt: skip
def lengths_sorted(patch):
    lengths_of(patch, lambda lengths, _: sorted(lengths))


@TF1.mutant("a row without a step taken for one of one", EMPTY, VALUES, cases=TF1_ROWS)
def a_length_of_zero_is_one(patch):
    lengths_of(patch, lambda lengths, _: lengths.clip(min=1))


@TF1.mutant("gradient cut where a step is masked", GRADIENTS,
            cases=("masked-right-lstm-two-layers", "masked-right-rnn"))  # fmt: skip
def gradient_cut_past_a_rows_end(patch):
    def wrong(tf, time, lengths, state, healthy):
        output, new = healthy()
        past = (time >= lengths)[:, None]
        return output, each(tf, lambda one: tf.where(past, tf.stop_gradient(one), one), new)

    a_step(patch, wrong)
