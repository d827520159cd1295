"""What is wrong is named in Vietnamese, without a trace."""

from tests.app.cli.command import hoi


def test_a_wrong_setting_is_named_in_vietnamese() -> None:
    done = hoi("migrate", public_url="https://hoi.vn/duong/dan", secret_key="ngắn", web_port=99999)
    assert done.returncode == 1
    assert "✗ HOI_PUBLIC_URL: HOI_PUBLIC_URL phải là gốc địa chỉ" in done.stderr
    assert "✗ HOI_WEB_PORT: " in done.stderr
    assert "Traceback" not in done.stderr
