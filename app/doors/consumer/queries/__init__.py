"""Queries for the page behind a code and for its label: one module for each noun, the names others use listed here."""

from app.doors.consumer.queries.batch_page import BatchPage, batch_page, code_exists
from app.doors.consumer.queries.certificates import ShownCertificate
from app.doors.consumer.queries.goods import Goods, goods_of
from app.doors.consumer.queries.labels import LabelOf, check_printable, label_of
from app.doors.consumer.queries.way import Gap, Line
