"""The checks of `doctor`: each looks at one part of an environment, changes nothing, and raises nothing."""
