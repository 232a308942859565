"""Docker and Podman: real engines that the tests start, recorded answers of others, and engines that misbehave."""
