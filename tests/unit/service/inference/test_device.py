from typing import get_args

import onnxruntime
import pytest

from service.errors import DeviceUnavailable
from service.inference.device import CPU, CUDA, TENSORRT, choose_provider, providers
from service.settings import Device

DEMANDING = [device for device in get_args(Device) if device not in ("auto", "cpu")]


def has_gpu() -> bool:
    return choose_provider("auto") == CUDA


def test_cpu_is_what_it_says() -> None:
    assert choose_provider("cpu") == CPU


def test_what_a_provider_cannot_run_goes_to_the_next() -> None:
    assert providers(TENSORRT) == (TENSORRT, CUDA, CPU)
    assert providers(CUDA) == (CUDA, CPU)
    assert providers(CPU) == (CPU,)


@pytest.mark.skipif("has_gpu()", reason="CUDA works here")
@pytest.mark.parametrize("device", DEMANDING)
def test_a_gpu_is_refused_where_onnxruntime_would_fall_back(device: Device) -> None:
    with pytest.raises(DeviceUnavailable, match=rf"'{device}' cannot be used: .+ Or choose"):
        choose_provider(device)
    assert choose_provider("auto") == CPU


@pytest.mark.skipif("has_gpu()", reason="CUDA works here")
@pytest.mark.parametrize(("device", "provider"), [("cuda", CUDA), ("tensorrt", TENSORRT)])
def test_a_gpu_without_its_libraries_is_refused(
    device: str, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Onnxruntime itself is asked: with a GPU, the libraries would be the next thing to miss."""
    if device not in DEMANDING or provider not in onnxruntime.get_available_providers():
        pytest.skip("not in this build")
    monkeypatch.setattr("service.inference.device._why_no_gpu", lambda provider: None)
    with pytest.raises(DeviceUnavailable, match=f"cannot load {provider}.+ install the extra"):
        choose_provider(device)  # type: ignore[arg-type]
