"""The checks, one function each, of the contract that `bench.registry.Method` states."""

from __future__ import annotations

import subprocess
import sys

import torch
from torch import Tensor, nn

from bench.config import Model
from bench.conformance.subject import Check, ContractError, Subject, images_and_masks
from bench.core.errors import UserError
from bench.evaluation.fill import blank, fill
from bench.training.learner import Learner

SIDES = ((16, 16), (17, 23), (48, 64), (130, 97))
"""Heights and widths, pixels: the smallest, odd ones, and ones that no power of two divides."""
MODELS = (Model(width=8, depth=4, critic_width=4), Model(width=12, depth=5, critic_width=4))
TOLERANCE = 1e-4
"""Largest difference of outputs that are the same but for the order of float32 sums."""
MOST_STEPS = 60
"""Number of training steps on one batch within which the error must fall."""
LIST = (
    "import sys\nfrom bench.config import Model\nfrom bench.registry import find\n"
    "find({name!r}).parameters(Model())\nprint('torch' in sys.modules)"
)
"""Program that does for one method what `list` does, and prints whether that imported torch."""


def listed_without_torch(subject: Subject) -> str | None:
    """Check that `list` imports no torch for the method."""
    # A new process, since this one has imported torch long ago.
    code = LIST.format(name=subject.method.name)
    words = [sys.executable, "-c", code]
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    if found.returncode:
        # Only this process has registered the method, in a test or a notebook.
        if "unknown method" in found.stderr:
            return "it is defined in no module that `list` imports"
        raise ContractError(f"listing it fails: {found.stderr.splitlines()[-1]}")
    if found.stdout.strip() == "True":
        raise ContractError(
            "listing it imports torch; import torch inside functions, and name the network by a "
            'reference "package.module:attribute"'
        )
    return None


def accepts_a_preset(subject: Subject) -> str | None:
    """Check that the method's own check accepts a small version of the quick preset."""
    try:
        subject.method.check(subject.config)
    except UserError as error:
        raise ContractError(f"it refuses 64 pixels and two images a batch: {error}") from error
    return None


def parameters_in_closed_form(subject: Subject) -> str | None:
    """Check that `parameters(model)` is the number of learnable parameters."""
    for model in MODELS:
        built = sum(p.numel() for p in subject.method.build(model).parameters())
        stated = subject.method.parameters(model)
        if built != stated:
            raise ContractError(
                f"the network has {built:,} parameters at width {model.width}, depth "
                f"{model.depth}; `parameters` says {stated:,}"
            )
    return None


def any_side(subject: Subject) -> str | None:
    """Check that images with sides from 16 pixels up give outputs of their size, float32."""
    for height, width in SIDES:
        image, mask = images_and_masks(1, height, width)
        try:
            output = fill(subject.network, image, mask)
        except Exception as error:  # The method's code may raise anything.
            raise ContractError(
                f"{height}x{width} pixels: {type(error).__name__}: {error}"
            ) from error
        if output.shape != image.shape or output.dtype != image.dtype:
            raise ContractError(
                f"{height}x{width} pixels: the output is {list(output.shape)} of {output.dtype}, "
                f"not {list(image.shape)} of {image.dtype}; pad the input and crop the output"
            )
    return None


def finite_and_in_range(subject: Subject) -> str | None:
    """Check that outputs are finite and, unless the method is unbounded, lie in [0, 1]."""
    image, mask = images_and_masks(2)
    nearly_all = mask.clone().zero_()
    nearly_all[..., :4, :4] = 1  # Nearly everything is hole.
    for name, chosen in {"some holes": mask, "a huge hole": nearly_all}.items():
        output = fill(subject.network, image, chosen)
        if not output.isfinite().all():
            raise ContractError(f"with {name} the output is not finite everywhere")
        low, high = output.min().item(), output.max().item()
        if subject.method.bounded and (low < -1e-6 or high > 1 + 1e-6):
            raise ContractError(
                f"with {name} the output lies in [{low:.3g}, {high:.3g}], not in [0, 1]; end the "
                "network so, or define the method with bounded=False"
            )
    return None


def blind_to_the_hole(subject: Subject) -> str | None:
    """Check that the output does not depend on the true pixels of the hole."""
    image, mask = images_and_masks(2)
    other = torch.where(mask > 0.5, image, 1 - image)
    if not torch.equal(*(fill(subject.network, x, mask) for x in (image, other))):
        raise ContractError("other true pixels in the hole change the output")
    return None


def inputs_left_alone(subject: Subject) -> str | None:
    """Check that the network does not write into the tensors that it is given."""
    image, mask = images_and_masks(2)
    holed = blank(image, mask)
    holed_before, mask_before = holed.clone(), mask.clone()
    with torch.no_grad():
        subject.network(holed, mask)  # as a learner calls it: `fill` would hand it copies
    if not (torch.equal(holed, holed_before) and torch.equal(mask, mask_before)):
        raise ContractError(
            "it writes into its inputs, and the losses read them afterwards; copy first"
        )
    return None


def same_output_again(subject: Subject) -> str | None:
    """Check that the same input gives the same output, also in a network built again."""
    image, mask = images_and_masks(2)
    networks = (subject.network, subject.network, subject.new_network())
    first, again, rebuilt = (fill(network, image, mask) for network in networks)
    if not torch.equal(first, again):
        raise ContractError(
            "two calls give two outputs; draw from a seeded stream, not a global one"
        )
    if not torch.equal(first, rebuilt):
        raise ContractError("built twice with the same weights, it gives two outputs")
    return None


def alone_as_in_a_batch(subject: Subject) -> str | None:
    """Check that in evaluation mode each image of a batch is filled as it would be alone."""
    image, mask = images_and_masks(3)
    together = fill(subject.network, image, mask)
    alone = torch.cat([fill(subject.network, image[i : i + 1], mask[i : i + 1]) for i in range(3)])
    difference = (together - alone).abs().max().item()
    if difference > TOLERANCE:
        raise ContractError(
            f"an output changes by {difference:.2g} with the other images of its batch"
        )
    return None


def finite_gradients(subject: Subject) -> str | None:
    """Check that gradients and updated weights are finite in every phase of the training."""
    if reason := subject.why_not_trained():
        return reason
    learner = subject.learner()
    image, mask = images_and_masks(2)
    # A hole of four pixels: a mean over the hole, or a layer's mask, may divide by almost nothing.
    tiny = torch.ones_like(mask)
    tiny[..., 30:32, 30:32] = 0
    for place, number in enumerate(_phases(learner.steps)):
        chosen = tiny if place % 2 else mask
        learner.step(blank(image, chosen), chosen, image, number)
        _all_finite(learner.network, number)
    if all(p.grad is None for p in learner.network.parameters()):
        raise ContractError("no parameter of the network got a gradient")
    return None


def target_kept_from_the_network(subject: Subject) -> str | None:
    """Check that the learner gives no true pixel of the hole to the network that it trains."""
    if reason := subject.why_not_trained():
        return reason
    learner = subject.learner()
    image, mask = images_and_masks(2)
    # The hole is noise, so that an input which equals it can only be the target.
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    target = torch.where(mask > 0.5, image, noise.to(image.device))
    seen: list[str] = []

    def watch(module: nn.Module, inputs: tuple[object, ...]) -> None:
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        if any(_holds(x, target, mask) for x in tensors):
            seen.append(type(module).__name__)

    hooks = [m.register_forward_pre_hook(watch) for m in learner.network.modules()]
    for number in _phases(learner.steps):
        learner.step(blank(target, mask), mask, target, number)
    for hook in hooks:
        hook.remove()
    if seen:
        raise ContractError(
            f"its learner gives the true pixels of the hole to {seen[0]}; call the network with "
            "`holed` and `mask` alone"
        )
    return None


def steps_lower_the_error(subject: Subject) -> str | None:
    """Check that training on one batch lowers the error in its holes."""
    if reason := subject.why_not_trained():
        return reason
    learner = subject.learner()
    image, mask = images_and_masks(2)
    before = _hole_error(learner, image, mask)
    for number in range(MOST_STEPS):
        learner.step(blank(image, mask), mask, image, number)
        # Measuring takes a forward pass, so only every tenth step is followed by one.
        if number % 10 == 9 and _hole_error(learner, image, mask) < 0.9 * before:
            return None
    after = _hole_error(learner, image, mask)
    raise ContractError(
        f"{MOST_STEPS} steps on one batch take the mean error in its holes from {before:.3f} to "
        f"{after:.3f}; it should fall by a tenth"
    )


CHECKS: dict[str, Check] = {
    "listed without torch": listed_without_torch,
    "accepts a small preset": accepts_a_preset,
    "parameters in closed form": parameters_in_closed_form,
    "any side from 16 pixels": any_side,
    "output finite and in range": finite_and_in_range,
    "blind to the hole": blind_to_the_hole,
    "inputs left alone": inputs_left_alone,
    "same output again": same_output_again,
    "alone as in a batch": alone_as_in_a_batch,
    "finite gradients": finite_gradients,
    "target kept from the network": target_kept_from_the_network,
    "steps lower the error": steps_lower_the_error,
}
"""All checks by their names in the report, the cheap and basic ones first."""


def _phases(steps: int) -> list[int]:
    """Return numbers of steps throughout a training, 2 % apart: a phase may be short."""
    return [0, *(steps * place // 100 for place in range(1, 100, 2)), steps - 1]


def _all_finite(network: nn.Module, number: int) -> None:
    for name, parameter in network.named_parameters():
        gradient = parameter.grad
        if gradient is not None and not gradient.isfinite().all():
            raise ContractError(f"the gradient of {name} is not finite at step {number}")
        if not parameter.isfinite().all():
            raise ContractError(f"{name} is not finite after step {number}")


def _holds(x: Tensor, target: Tensor, mask: Tensor) -> bool:
    """Return whether three neighbouring channels of `x` are the target in the hole.

    The target may be in [0,1] or scaled to [-1,1].
    """
    if x.dim() != 4 or x.shape[-2:] != target.shape[-2:] or len(x) != len(target):
        return False
    hole = (mask < 0.5).expand_as(target)
    windows = (x[:, first : first + 3].float() for first in range(x.shape[1] - 2))
    forms = (target[hole], 2 * target[hole] - 1)
    return any(torch.allclose(w[hole], form, atol=1e-3) for w in windows for form in forms)


def _hole_error(learner: Learner, image: Tensor, mask: Tensor) -> float:
    """Return the mean absolute error in the holes, in training mode, where norms see the batch.

    The state of the network is left as it was.
    """
    network = learner.network.train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    with torch.no_grad():
        output = network(blank(image, mask), mask)
    network.load_state_dict(state)  # Batch norm has counted this pass.
    error: Tensor = (output - image).abs()[(mask < 0.5).expand_as(image)].mean()
    return error.item()
