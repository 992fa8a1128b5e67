package m2msafe

import (
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// touch are the owner's auto-update times that the call moves.
func (l *links) touch() []*schema.Field {
	if l.db.Statement.SkipHooks || len(l.plan.touch) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(l.plan.touch), func(f *schema.Field) bool {
		chosen, named := l.choice.columns[f.DBName]
		return named && !chosen
	})
}

// touchColumns are the owner's columns that GORM's update would move.
func (p *plan) touchColumns() []string {
	var columns []string
	for _, f := range p.touch {
		columns = append(columns, f.DBName)
	}
	return columns
}

// updateTime is what GORM gives an auto-update time.
func updateTime(f *schema.Field, now time.Time) any {
	switch f.AutoUpdateTime {
	case schema.UnixNanosecond:
		return now.UnixNano()
	case schema.UnixMillisecond:
		return now.UnixMilli()
	case schema.UnixSecond:
		return now.Unix()
	default:
		return now
	}
}

// updateTimes are the auto-update times that an update of the statement moves.
func updateTimes(stmt *gorm.Statement) (columns []string) {
	if stmt.SkipHooks {
		return nil
	}
	for _, field := range stmt.Schema.Fields {
		if field.AutoUpdateTime > 0 && field.DBName != "" {
			columns = append(columns, field.DBName)
		}
	}
	return columns
}
