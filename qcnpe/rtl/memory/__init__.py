"""The memory side of the autonomous engine: bus, memories and what moves words between them."""
