"""From the field to the pack: sites, cycles, the diary, batches, codes, stock and the public page."""
