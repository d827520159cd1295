"""All settings, typed and frozen; the only reader of the environment. Every name starts with HOI_."""

import os
import re
from pathlib import Path

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import machine
from app.addresses import origin, split_address
from app.errors import SetupError

ROOT = Path(__file__).resolve().parent.parent
OWNER_VARIABLE = "HOI_DATABASE_OWNER_URL"
MAKE_SECRET = "python3 -c 'import secrets; print(secrets.token_hex(32))'"  # noqa: S105 - a command, not a secret

DEMO_MIB = 1024


class Settings(BaseSettings):
    """One installation. Values come from HOI_* variables, else the defaults below (the embedded province)."""

    model_config = SettingsConfigDict(env_prefix="HOI_", frozen=True, extra="ignore", env_ignore_empty=True)

    var: Path = Field(
        default=ROOT / "var", description="thư mục dữ liệu của bản chạy sẵn (PostgreSQL, Valkey, ảnh, nhật ký)"
    )
    database_url: str | None = Field(
        default=None, description="PostgreSQL ≥ 15 của đơn vị; để trống thì chạy máy chủ đi kèm"
    )
    database_owner_url: str | None = Field(
        default=None,
        description="cùng cơ sở dữ liệu, bằng chủ sở hữu: chỉ cho `./hoi migrate`, sao lưu và phục hồi; đừng đưa cho web và việc nền",
    )
    pages_database_url: str | None = Field(
        default=None,
        description="bản sao chỉ đọc (streaming replica) để đọc trang công khai, bằng `hoi_app`; chậm quá 20 giây hay vắng thì đọc máy chính; để trống thì luôn đọc máy chính",
    )
    redis_url: str | None = Field(
        default=None,
        description="Valkey hoặc Redis của đơn vị, hoặc sentinel://máy:26379,máy:26379/0?master=tên; để trống thì chạy máy chủ đi kèm",
    )
    public_url: str | None = Field(
        default=None, description="gốc của mọi mã in ra; để trống thì tem in chữ “thử nghiệm”"
    )
    secret_key: SecretStr | None = Field(
        default=None, description="khóa ký phiên, ít nhất 32 ký tự; `hoi up` tự tạo và giữ trong var"
    )
    memory_mib: int | None = Field(
        default=None,
        ge=256,
        description="bộ nhớ (MiB) mà Hồi được tính là có trên máy này; để trống thì cả máy, hoặc giới hạn của thùng chứa",
    )
    web_host: str = Field(default="127.0.0.1", description="địa chỉ nghe của web")
    web_port: int = Field(default=8000, ge=1, le=65535, description="cổng web; bận thì lấy cổng trống kế tiếp")
    web_workers: int = Field(
        default_factory=lambda told: machine.web_processes(
            machine.cores(), told.get("memory_mib") or machine.memory_mib()
        ),
        ge=1,
        le=64,
        description="số tiến trình web; để trống thì bằng số nhân của máy, vừa với bộ nhớ, nhiều nhất 16",
    )
    web_threads: int = Field(default=8, ge=1, le=128, description="số luồng của một tiến trình web")
    worker_processes: int = Field(
        default_factory=lambda: min(8, max(1, machine.cores() // 2)),
        ge=1,
        le=64,
        description="số tiến trình xử lý việc người dùng vừa làm; trống thì bằng nửa số lõi",
    )
    bulk_processes: int = Field(
        default_factory=lambda: min(4, max(1, machine.cores() // 4)),
        ge=1,
        le=64,
        description="số tiến trình xử lý việc dài (nhập danh sách, suy lại); trống thì bằng một phần tư số lõi",
    )
    caller_threads: int = Field(
        default=8, ge=1, le=64, description="số luồng gọi ra ngoài (sàn, thư); gian hàng chậm chỉ giữ các luồng này"
    )
    looker_threads: int = Field(
        default=4,
        ge=2,
        le=64,
        description="số luồng xem lại tin bán trên sàn, mỗi luồng một gian hàng; một luồng luôn dành cho lần xem có người chờ",
    )
    trusted_proxies: int = Field(
        default=0, ge=0, le=5, description="số lớp proxy đứng trước, để biết địa chỉ và https thật"
    )
    media_url: str | None = Field(
        default=None, description="nơi giữ ảnh: trống = thư mục var/media, hoặc s3://thùng?endpoint=…"
    )
    media_key: SecretStr | None = Field(default=None, description="mã truy cập kho S3")
    media_secret: SecretStr | None = Field(default=None, description="khóa bí mật kho S3")
    smtp_url: SecretStr | None = Field(
        default=None, description="smtp://người:mật-khẩu@máy:587 để gửi thư; trống thì chỉ báo trong ứng dụng"
    )
    mail_from: str = Field(default="hoi@localhost", description="địa chỉ người gửi thư")
    credentials_key: SecretStr | None = Field(
        default=None, description="khóa mã hóa tài khoản sàn; trống thì suy từ secret_key"
    )
    pg_bin: Path | None = Field(default=None, description="thư mục lệnh PostgreSQL khác bản đi kèm")
    valkey_bin: Path | None = Field(default=None, description="tệp lệnh valkey-server khác bản đi kèm")
    chromium: Path | None = Field(default=None, description="trình duyệt cho kiểm thử")
    clock_movable: bool = Field(default=False, description="cho phép dời đồng hồ (chỉ bản demo và kiểm thử)")
    demo: bool = Field(
        default=False, description="đang chạy bản demo: mọi trang nói rõ đây là bản mẫu (`./hoi demo` tự đặt)"
    )
    double_port: int = Field(default=8100, ge=1, le=65535, description="cổng của sàn mô phỏng trong bản demo")
    look_seconds: int = Field(
        default=900, ge=2, le=86400, description="bao lâu xem lại một tin bán trên sàn, tính bằng giây"
    )
    channel_sandbox: bool = Field(
        default=False, description="cho phép gọi gian hàng ở địa chỉ nội bộ (demo, kiểm thử, gian hàng thử)"
    )
    metrics_token: SecretStr | None = Field(
        default=None,
        description="mã để hệ thống theo dõi đọc `/metrics` từ máy khác (Authorization: Bearer …); trống thì chỉ từ chính máy ấy, không qua proxy",
    )
    log_level: str = Field(default="INFO", description="mức nhật ký: DEBUG, INFO, WARNING, ERROR")
    log_json: bool = Field(default=True, description="nhật ký dạng JSON, mỗi dòng một việc")

    @field_validator("database_url", "database_owner_url", "pages_database_url")
    @classmethod
    def _as_libpq_reads_it(cls, value: str | None) -> str | None:
        """SQLAlchemy's spelling names a driver too, which libpq takes for a part of a host's name."""
        return value if value is None else re.sub(r"^postgres(?:ql)?(?:\+\w+)?://", "postgresql://", value)

    @field_validator("public_url")
    @classmethod
    def _origin_only(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = split_address(value)
        base = origin(value)
        if not base or parts.path.strip("/") or parts.query:
            message = "HOI_PUBLIC_URL phải là gốc địa chỉ như https://hoi.langson.vn, không có đường dẫn phía sau"
            raise ValueError(message)
        return base

    @model_validator(mode="after")
    def _strong_secret(self) -> "Settings":
        if self.secret_key is not None and len(self.secret_key.get_secret_value()) < 32:  # noqa: PLR2004 - 256 bits
            message = f"HOI_SECRET_KEY quá ngắn: cần ít nhất 32 ký tự, ví dụ từ `{MAKE_SECRET}`"
            raise ValueError(message)
        return self

    def signing_key(self) -> str:
        """The key that all processes share. Raises SetupError where there is none: a key of its own for each would sign nobody in."""
        if self.secret_key is None:
            raise SetupError(
                "no_secret_key",
                vi=f"Chưa có HOI_SECRET_KEY nên không ký được phiên đăng nhập. Tạo khóa bằng: {MAKE_SECRET}\n"
                "  rồi đặt vào HOI_SECRET_KEY, cùng một khóa cho web và mọi tiến trình việc nền.",
                en=f"HOI_SECRET_KEY is not set. Make one with: {MAKE_SECRET}, the same for web and every worker.",
            )
        return self.secret_key.get_secret_value()

    def owner_url(self) -> str:
        """The login that owns the tables: in installations of before there were two, the one for everything."""
        return self.database_owner_url or self.database_url or ""

    def most_connections(self) -> int:
        """How many connections to PostgreSQL our processes may hold at once, with some to spare for commands."""
        web = 2 * self.web_threads + 3  # a pool that may double, two that look for public pages, one for scans
        work, caller, looker, relay, spare = 8, 8, 8, 3, 12
        workers = self.worker_processes + self.bulk_processes
        return self.web_workers * web + workers * work + caller + looker + relay + spare

    def memory(self) -> int:
        """MiB that the embedded PostgreSQL may count on, of which it takes half. The demo is a guest on somebody's computer."""
        return self.memory_mib or (min(machine.memory_mib(), DEMO_MIB) if self.demo else machine.memory_mib())

    def printed_base(self) -> str:
        """The base of every printed code; without HOI_PUBLIC_URL it is this machine and labels are watermarked."""
        return self.public_url or f"http://{self.web_host}:{self.web_port}"


def load() -> Settings:
    return Settings()


def shared_metrics() -> str | None:
    """The folder where the processes of one web keep their figures together; prometheus_client reads this name at its import."""
    return os.environ.get("PROMETHEUS_MULTIPROC_DIR")  # noqa: TID251 - the reader


def child_environment(*, clean: bool = False, **values: object) -> dict[str, str]:
    """Return our environment for a process that we start, with HOI_* values laid over it by field name.

    None leaves a value out. `clean` drops every other HOI_* value first. The address of the database's owner is never
    inherited: whoever needs it is given it by name.
    """
    inherited = {
        k: v
        for k, v in os.environ.items()  # noqa: TID251 - the reader
        if k != OWNER_VARIABLE and not (clean and k.startswith("HOI_"))
    }
    return inherited | {f"HOI_{name.upper()}": str(v) for name, v in values.items() if v is not None}
