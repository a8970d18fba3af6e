"""Tests in guests."""

import pytest

# Not a test module, but what it asserts is what the tests show when they fail.
pytest.register_assert_rewrite("vm.readback")
