from hypothesis import given
from hypothesis import strategies as st

from espnet_ent.frames import FrameGrid
from espnet_ent.windows import Window, plan_windows

GRID = FrameGrid(16000, 640)


@given(st.integers(0, 3_000_000), st.floats(1, 30), st.floats(0.5, 5))
def test_windows_cover_every_frame_once_with_context_on_both_sides(num_samples, window_seconds, context_seconds):
    windows = plan_windows(num_samples, GRID, window_seconds, context_seconds)
    num_frames = -(-num_samples // 640)
    next_frame, sizes = 0, []
    for window in windows:
        assert window.start % 640 == 0
        assert window.start // 640 + window.first_frame == next_frame
        held = -(-(window.end - window.start) // 640)
        last = held if window.last_frame is None else window.last_frame
        assert window.first_frame < last or num_samples == 0
        if len(windows) > 1:
            assert (last - window.first_frame) * GRID.seconds_per_frame <= window_seconds + 1e-9
            before, after = window.first_frame, held - last
            assert window.start == 0 or before * GRID.seconds_per_frame >= context_seconds - 1e-9
            assert window.end == num_samples or after * GRID.seconds_per_frame >= context_seconds - 1e-9
        next_frame += last - window.first_frame
        sizes.append(last - window.first_frame)
    assert max(sizes) - min(sizes) <= 1
    assert next_frame == num_frames
    assert (windows[0].start, windows[-1].end, windows[-1].last_frame) == (0, num_samples, None)


def test_short_recordings_are_one_window():
    assert plan_windows(16000, GRID, 1.0, 0.5) == [Window(0, 16000)]
    assert plan_windows(0, GRID, 1.0, 0.5) == [Window(0, 0)]
    assert len(plan_windows(16001, GRID, 1.0, 0.5)) == 2
