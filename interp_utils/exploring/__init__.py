"""A page that plays a training: everything that is known of each snapshot, side by side."""
