"""All that is known of other programs: what they print and what they take. Nothing else names their flags."""
