-- A session that comes, says one thing and goes.

function thread_init()
    driver = sysbench.sql.driver()
end

function event()
    local connection = driver:connect()
    connection:query_row("SELECT 1")
    connection:disconnect()
end

sysbench.cmdline.options = {
    table_size = {"not used", 0}
}
