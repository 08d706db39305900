"""The composition root: wires everything together, one module for each process."""
