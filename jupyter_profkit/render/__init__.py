"""From views to media: text, HTML, SVG, PNG. Renderers know views and nothing else."""
