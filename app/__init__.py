"""Hồi: truy xuất nguồn gốc và thương mại OCOP của một tỉnh."""
