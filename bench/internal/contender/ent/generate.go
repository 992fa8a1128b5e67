// Package ent is ent's client of the model without updated_at. All of it but
// this file and the schema is generated.
package ent

//go:generate go tool ent generate ./schema
