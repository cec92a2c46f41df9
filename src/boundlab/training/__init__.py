"""Training in torch: loop, objective, CUDA graph, session, worker."""
