"""Result files, their schemas and integrity, aggregation, tables and provenance. No torch."""
