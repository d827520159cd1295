"""Province, commune, village and the closed districts: dated units, their lineage, attributes and premises."""
