"""World models over tokens: what they learn from, and how they imagine."""
