"""Language models behind OpenAI-compatible endpoints: prompts of rows, requests, answers, and what they cost."""
