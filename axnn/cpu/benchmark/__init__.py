"""Time and accuracy of approximate networks on this processor, compared with other tools."""
