"""fast_fail: sessions that are lost for certain are failed at once, where that harms nobody."""
