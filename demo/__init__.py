"""The demo province: real communes, invented people, and a season of plausible work that says of itself that it is a sample.

The stage, not the product: `app` and `worker` never import it. It comes to them from outside: `factory` adds its pages to
our application, `jobs` its job to the worker, and `loader` fills the tables through the parts' own verbs.
"""
