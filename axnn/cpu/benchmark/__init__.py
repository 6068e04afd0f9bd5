"""Time and accuracy of approximate networks on this processor, beside other tools."""
