"""The steps of `compare`: which runs, their rows side by side, quality, and the promotion of a challenger."""
