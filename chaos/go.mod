module github.com/m2msafe/m2msafe/chaos

go 1.25.0

replace (
	github.com/m2msafe/m2msafe => ../
	github.com/m2msafe/m2msafe/compat => ../compat
)
